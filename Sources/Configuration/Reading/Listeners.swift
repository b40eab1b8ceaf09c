import Proxy
import Routing

/// The section `entryPoints`.
struct Listeners {
    private static let adminName = "admin"

    /// Sorted by name.
    var entryPoints: [EntryPointSettings]
    var admin: ListenAddress
    var adminTLS: EntryPointTLSSettings?

    init(_ section: SettingSection?) {
        entryPoints = []
        admin = ListenAddress(host: "127.0.0.1", port: 8081)
        let isAdminGiven = section?.entries.contains { $0.name == Self.adminName } ?? false
        var taken = isAdminGiven ? [] : [(name: Self.adminName, address: admin)]
        for (name, value) in section?.entries ?? [] {
            if name.isEmpty || ObjectName.holdsControl(name) {
                value.diagnostics.add(
                    "a name must not be empty or contain control characters", at: value.keyPlace, key: value.key)
            }
            guard let entry = value.section() else { continue }
            let address = Self.address(of: entry, name, &taken)
            if name == Self.adminName {
                entry.check(known: ["address", "http"])
                adminTLS = Self.adminTLS(entry)
                if let address {
                    admin = address
                    checkExposure(entry)
                }
            } else {
                let peers = Self.trustedPeers(of: entry)
                let known = address ?? ListenAddress(host: nil, port: 0)
                var settings = EntryPointSettings(
                    name: name, address: known, trustedPeers: peers,
                    transport: TransportSettings(entry.section("transport")),
                    http: EntryPointHTTPSettings(entry.section("http"), asDefault: entry["asDefault"]))
                settings.http2 = EntryPointHTTP2Settings(entry["http2"])
                entryPoints.append(settings)
            }
        }
        for index in entryPoints.indices {
            guard var redirection = entryPoints[index].http.redirection else { continue }
            let isResolved = redirection.resolve(among: entryPoints)
            entryPoints[index].http.redirection = redirection
            guard !isResolved else { continue }
            let (name, target) = (entryPoints[index].name, redirection.target)
            Self.redirection(of: name, in: section)?["to"]?.diagnostic(
                "\(Excerpt.of(target)) is not an entry point: name one, or write :port")
        }
        entryPoints.sort { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
        if entryPoints.isEmpty {
            entryPoints = [
                EntryPointSettings(name: "web", address: ListenAddress(host: nil, port: 8000), trustedPeers: [])
            ]
        }
    }

    private static func adminTLS(_ entry: SettingSection) -> EntryPointTLSSettings? {
        guard let http = entry.section("http") else { return nil }
        http.check(known: ["tls"])
        return EntryPointTLSSettings(http)
    }

    /// The admin listener has no password, and without TLS what it answers can be read on the way.
    private func checkExposure(_ entry: SettingSection) {
        guard adminTLS == nil, !admin.isLoopback else { return }
        entry["address"]?.diagnostic(
            "is not an address of loopback, and without TLS everybody on the way reads it: "
                + "write 127.0.0.1:\(admin.port), or set http.tls")
    }

    private static func redirection(of name: String, in section: SettingSection?) -> SettingSection? {
        let entry = section?.entries.first { $0.name == name }?.value.section()
        return entry?.section("http")?.section("redirections")?.section("entryPoint")
    }

    private static func address(
        of entry: SettingSection, _ name: String, _ taken: inout [(name: String, address: ListenAddress)]
    ) -> ListenAddress? {
        guard let value = entry.required("address", "write host:port, or :port for all interfaces"),
            let text = value.string()
        else { return nil }
        do throws(AddressError) {
            let address = try ListenAddress(text)
            if let other = taken.first(where: { $0.address.overlaps(address) }) {
                value.diagnostic("is already the address of entry point \(other.name)")
            }
            taken.append((name, address))
            return address
        } catch {
            value.diagnostic(error.description)
            return nil
        }
    }

    private static func trustedPeers(of entry: SettingSection) -> [AddressRange] {
        entry.check(
            known: ["address", "forwardedHeaders", "transport", "http", "http2", "asDefault"],
            unavailable: [
                "reusePort", "proxyProtocol", "http3", "observability", "udp",
                "allowACMEByPass",
            ])
        let forwarded = entry.section("forwardedHeaders")
        forwarded?.check(
            known: ["trustedIPs"],
            unavailable: ["insecure", "connection", "notAppendXForwardedFor", "addXForwardedSchemeHeaders"])
        return (forwarded?["trustedIPs"]?.list() ?? []).compactMap { $0.addressRange() }
    }
}
