import Foundation
import LimpetTestKit
import Testing

extension FleetTests {
    @Suite("Files of the main file's serversTransport")
    struct TLSTransportFileTests {
        private static let dynamic = """
            http:
              routers: { app: { rule: "PathPrefix(`/`)", service: app } }
              services: { app: { loadBalancer: { servers: [{ url: "URL" }] } } }

            """

        private static func replace(_ path: String, with other: String) throws {
            try FileManager.default.copyItem(atPath: other, toPath: path + ".new")
            guard rename(path + ".new", path) == 0 else { throw Unexpected(description: "rename \(path)") }
        }

        private static func status(_ fleet: TLSFleet) throws -> Int {
            let request = HTTPRequest("GET", "/", fields: ["Connection": "close"])
            return try HTTPConnection(port: fleet.replicas[0].port).exchange(request).status
        }

        @Test("are read again when they change: authorities, and the certificate that is shown")
        func changed() async throws {
            try await Threads.run {
                let folder = TemporaryFile.path()
                defer { try? FileManager.default.removeItem(atPath: folder) }
                let old = try TestAuthority(in: "\(folder)/old", name: "Old")
                let new = try TestAuthority(in: "\(folder)/new", name: "New")
                let issued = try [old, new].map { try $0.issue("proxy", "DNS:proxy") }
                let server = try OpenSSLServer(
                    "back", new.issue("back", "DNS:back.example"), clients: new.root.certificate, version: "tls1_2",
                    in: folder)
                defer { server.kill() }
                let (roots, certificate, key) = ("\(folder)/roots.pem", "\(folder)/proxy.pem", "\(folder)/proxy.key")
                func use(_ place: Int) throws {
                    try Self.replace(certificate, with: issued[place].certificate)
                    try Self.replace(key, with: issued[place].key)
                }
                try Self.replace(roots, with: old.root.certificate)
                try use(0)
                let settings = """
                    serversTransport:
                      serverName: back.example
                      rootCAs: [\(roots)]
                      certificates: [{ certFile: \(certificate), keyFile: \(key) }]
                    log: { level: debug }
                    """
                let dynamic = Self.dynamic.replacing("URL", with: server.url)
                try withTLSFleet(TLSFleet(dynamic, settings: settings)) { fleet in
                    let replica = fleet.replicas[0]
                    try #expect(Self.status(fleet) == 503)
                    #expect(replica.errorLog.contains("is of an unknown authority"), "\(replica.errorLog)")
                    try Self.replace(roots, with: new.root.certificate)
                    let isTrusted = Waiting.until(within: 10) {
                        _ = try? Self.status(fleet)
                        return replica.errorLog.contains("does not accept our certificate")
                    }
                    #expect(isTrusted, "\(replica.errorLog)")
                    try use(1)
                    #expect(Waiting.until(within: 10) { (try? Self.status(fleet)) == 200 }, "\(replica.errorLog)")
                }
            }
        }

        @Test("are those that were named at the start, whatever the main file names since")
        func renamed() async throws {
            try await Threads.run {
                let folder = TemporaryFile.path()
                defer { try? FileManager.default.removeItem(atPath: folder) }
                let authority = try TestAuthority(in: folder)
                let other = try TestAuthority(in: "\(folder)/other", name: "Other")
                let server = try OpenSSLServer("back", authority.issue("back", "DNS:back.example"), in: folder)
                defer { server.kill() }
                let roots = "\(folder)/roots.pem"
                try Self.replace(roots, with: authority.root.certificate)
                let settings = "serversTransport: { serverName: back.example, rootCAs: [\(roots)] }"
                let dynamic = Self.dynamic.replacing("URL", with: server.url)
                try withTLSFleet(TLSFleet(dynamic, settings: settings)) { fleet in
                    let (replica, path) = (fleet.replicas[0], "\(fleet.directory)/r0.yml")
                    try #expect(Self.status(fleet) == 200)
                    try TextFile.write(
                        TextFile.read(path).replacing(roots, with: other.root.certificate), to: path)
                    replica.process.signal(SIGHUP)
                    let change = "Changed settings take effect after a restart.\",\"keys\":\"serversTransport\""
                    #expect(Waiting.until(within: 10) { replica.errorLog.contains(change) }, "\(replica.errorLog)")
                    try #expect(Self.status(fleet) == 200)
                    try Self.replace(roots, with: authority.root.key)
                    let said = "r0.yml: serversTransport.rootCAs[0]: \(roots) contains no certificate in PEM form"
                    #expect(Waiting.until(within: 10) { replica.errorLog.contains(said) }, "\(replica.errorLog)")
                    try #expect(Self.status(fleet) == 200)
                    try Self.replace(roots, with: other.root.certificate)
                    #expect(Waiting.until(within: 10) { (try? Self.status(fleet)) == 503 }, "\(replica.errorLog)")
                }
            }
        }

        @Test("keep what they said before where they are wrong, with an error at their place; SIGHUP warns of none")
        func wrong() async throws {
            try await Threads.run {
                let folder = TemporaryFile.path()
                defer { try? FileManager.default.removeItem(atPath: folder) }
                let authority = try TestAuthority(in: folder)
                let server = try OpenSSLServer("back", authority.issue("back", "DNS:back.example"), in: folder)
                defer { server.kill() }
                let roots = "\(folder)/roots.pem"
                try Self.replace(roots, with: authority.root.certificate)
                let settings = "serversTransport: { serverName: back.example, rootCAs: [\(roots)] }"
                let dynamic = Self.dynamic.replacing("URL", with: server.url)
                try withTLSFleet(TLSFleet(dynamic, settings: settings)) { fleet in
                    try #expect(Self.status(fleet) == 200)
                    func overview() -> String { (try? fleet.replicas[0].admin("/api/overview").text) ?? "" }
                    try Self.replace(roots, with: authority.root.key)
                    let said = "\(roots) contains no certificate in PEM form"
                    #expect(Waiting.until(within: 10) { overview().contains(said) }, "\(overview())")
                    let place = ["serversTransport.rootCAs[0]", "\"line\":8,", "r0.yml\""]
                    #expect(place.allSatisfy(overview().contains), "\(overview())")
                    try #expect(Self.status(fleet) == 200)
                    let other = try TestAuthority(in: "\(folder)/other", name: "Other")
                    try TextFile.write(
                        TextFile.read(other.root.certificate) + TextFile.read(authority.root.certificate), to: roots)
                    #expect(Waiting.until(within: 10) { !overview().contains(said) }, "\(overview())")
                    try #expect(Self.status(fleet) == 200)
                    fleet.replicas[0].process.signal(SIGHUP)
                    let isRead = Waiting.until(within: 10) {
                        fleet.replicas[0].errorLog.contains("The configuration is unchanged.")
                    }
                    #expect(isRead, "\(fleet.replicas[0].errorLog)")
                    #expect(!fleet.replicas[0].errorLog.contains("take effect after a restart"))
                }
            }
        }
    }
}
