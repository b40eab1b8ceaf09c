import LimpetTestKit

/// What its replicas are told.
extension Fleet {
    /// The text of a replica's configuration file.
    func configuration(of index: Int, port: Int, adminPort: Int) -> String {
        let options = options
        return """
            entryPoints:
              web: { address: "127.0.0.1:\(port)"\(options.web.isEmpty ? "" : ", \(options.web)") }
              admin: { address: "127.0.0.1:\(adminPort)" }
            replica: { name: r\(index), threads: \(options.threads) }
            fleet: { secret: "\(Self.secret)", namespace: \(Self.namespace)\(cookieKeyFiles) }
            store:
              cache: { entries: \(options.cacheEntries) }
              lease: \(options.lease)
            \(redisSection(of: index))
            log: { \(options.log) }
            \(options.hasAccessLog ? "accessLog: { filePath: \"\(accessLog(of: index))\" }" : "")
            \(options.dynamic.map(providers) ?? http.replacing("REPLICA", with: "r\(index)"))
            """
    }

    private func providers(_ dynamic: Dynamic) -> String {
        let source = "\(dynamic.isDirectory ? "directory" : "filename"): \"\(directory)/\(dynamic.path)\""
        let more = dynamic.more.map { ", " + $0 } ?? ""
        return "providers: { providersThrottleDuration: \(dynamic.throttle), file: { \(source) }\(more) }\n"
    }

    /// The section of routers and services.
    var http: String {
        let sticky =
            "sticky: { \(options.sticky) }, servers: [ \(servers.joined(separator: ", ")) ]"
            + (options.balancer.isEmpty ? "" : ", \(options.balancer)")
            + (options.transport.isEmpty ? "" : ", serversTransport: own")
        return """
            http:
              routers:
                other: { rule: "PathPrefix(`/other`)", service: other }
                app: { rule: "PathPrefix(`/`)", service: app }
              services:
                app: { loadBalancer: { \(sticky) } }
                other: { loadBalancer: { \(sticky) } }
            \(options.transport.isEmpty ? "" : "  serversTransports: { own: { \(options.transport) } }")

            """
    }

    /// The path of a replica's access log, all runs together.
    func accessLog(of index: Int) -> String { "\(directory)/r\(index).access" }

    private var servers: [String] {
        let options = options
        let own = backends.filter { !options.unnamedBackends.contains($0.name) }.map { backend in
            let draining = options.drainingBackends.contains(backend.name) ? ", draining: true" : ""
            return "{ url: \"http://127.0.0.1:\(backend.port)\", name: \(backend.name)\(draining) }"
        }
        return own
            + options.ownBackends.enumerated().map {
                "{ url: \"\(options.ownScheme)://127.0.0.1:\($1)\", name: own\($0) }"
            }
    }

    private var cookieKeyFiles: String {
        let keys = options.cookieKeys
        guard !keys.isEmpty else { return "" }
        return ", cookieKeyFiles: [\(keys.map { "\"\(keyFile($0))\"" }.joined(separator: ", "))]"
    }

    private func keyFile(_ key: String) -> String { "\(directory)/\(key).key" }

    /// Sets the sealing keys of replicas that are started from now on; each is made of its name.
    func setCookieKeys(_ keys: [String]) throws {
        for key in keys { try TextFile.write("a-sealing-key-that-is-only-a-test-\(key)\n", to: keyFile(key)) }
        change { $0.cookieKeys = keys }
    }

    private func redisSection(of index: Int) -> String {
        let options = options
        guard let store = options.store else { return "" }
        let port = options.hasFaultProxies ? faults[index].port : storePort
        let credentials = [("username", options.username), ("password", options.password)]
            .map { name, value in value.map { ", \(name): \"\($0)\"" } ?? "" }.joined()
        var ports = [port]
        var sentinel = ""
        if case .named(let deployment) = store {
            ports = deployment.sentinels.map(\.port)
            sentinel = ", sentinel: { masterName: \(SentinelDeployment.primaryName) }"
        }
        let endpoints = ports.map { "\"redis://127.0.0.1:\($0)/0\"" }.joined(separator: ", ")
        return
            "  redis: { endpoints: [\(endpoints)], commandTimeout: \(options.budget)\(credentials)\(sentinel) }"
    }
}
