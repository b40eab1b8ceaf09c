import Proxy
import Routing

extension Middleware {
    init?(stripPrefix section: SettingSection) {
        section.check(known: ["prefixes"], unavailable: ["forceSlash"])
        guard let list = section.required("prefixes", "name path prefixes, such as /api") else { return nil }
        let prefixes = list.list().compactMap(Self.path)
        if prefixes.isEmpty, list.isList, list.list().isEmpty { list.diagnostic("must name a prefix, such as /api") }
        self = .stripPrefix(prefixes)
    }

    init?(addPrefix section: SettingSection) {
        section.check(known: ["prefix"])
        guard let value = section.required("prefix", "write a path prefix, such as /api"),
            let prefix = Self.path(value)
        else { return nil }
        guard prefix.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "?") && $0 != UInt8(ascii: "#") })
        else {
            value.diagnostic("must not contain spaces, ?, # or non-ASCII characters: percent-encode them, as in %20")
            return nil
        }
        self = .addPrefix(prefix)
    }

    private static func path(_ value: SettingValue) -> String? {
        guard let text = value.string() else { return nil }
        guard text.hasPrefix("/"), text.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else {
            value.diagnostic("must begin with / and must not contain control characters")
            return nil
        }
        return text
    }
}

extension SchemeRedirect {
    init?(_ section: SettingSection) {
        section.check(known: ["scheme", "port", "permanent"], unavailable: ["forcePermanentRedirect"])
        let port = section["port"].flatMap { $0.text?.isEmpty == true ? nil : $0.integer(1...65535) }
        let isPermanent = section["permanent"]?.bool() ?? false
        guard let scheme = section.required("scheme", "write http or https")?.choice(Scheme.self) else { return nil }
        self.init(scheme: scheme, port: port, isPermanent: isPermanent)
    }
}

extension IPAllowList {
    init?(_ section: SettingSection) {
        section.check(known: ["sourceRange", "rejectStatusCode", "ipStrategy"])
        let status = section["rejectStatusCode"]?.integer(400...599) ?? 403
        let strategy = section.section("ipStrategy")
        strategy?.check(known: ["depth"], unavailable: ["excludedIPs", "ipv6Subnet"])
        // Traefik's 0 means the address of the peer.
        let depth = strategy?["depth"]?.integer(0...100) ?? 0
        guard let list = section.required("sourceRange", "name address ranges, such as 10.0.0.0/8") else { return nil }
        let elements = list.list()
        if elements.isEmpty, list.text != nil || list.isList { list.diagnostic("must name an address range") }
        self.init(
            ranges: elements.compactMap { $0.addressRange() }, refusalStatus: status, depth: depth == 0 ? nil : depth)
    }
}
