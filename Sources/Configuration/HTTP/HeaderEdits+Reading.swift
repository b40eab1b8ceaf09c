import Proxy

extension HeaderEdits {
    private static let unavailable = [
        "accessControlAllowCredentials", "accessControlAllowHeaders", "accessControlAllowMethods",
        "accessControlAllowOriginList", "accessControlAllowOriginListRegex", "accessControlExposeHeaders",
        "accessControlMaxAge", "addVaryHeader", "allowedHosts", "hostsProxyHeaders", "sslProxyHeaders", "frameDeny",
        "customFrameOptionsValue",
        "contentTypeNosniff", "browserXssFilter", "customBrowserXSSValue", "contentSecurityPolicy",
        "contentSecurityPolicyReportOnly", "publicKey", "referrerPolicy", "permissionsPolicy", "isDevelopment",
        "featurePolicy", "sslRedirect", "sslTemporaryRedirect", "sslHost", "sslForceHost",
    ]

    init?(_ section: SettingSection) {
        section.check(
            known: ["customRequestHeaders", "customResponseHeaders"] + StrictTransport.keys,
            unavailable: Self.unavailable)
        if section.isEmpty {
            section.diagnostic("is empty: set customRequestHeaders, customResponseHeaders or stsSeconds")
        }
        let request = Self.edits(section.section("customRequestHeaders"))
        let response = Self.edits(section.section("customResponseHeaders"))
        self.init(
            requestSet: request.set, requestRemove: request.remove, responseSet: response.set,
            responseRemove: response.remove, strictTransport: StrictTransport(section))
    }

    /// An empty value removes the header.
    private static func edits(_ section: SettingSection?) -> (set: [Field], remove: [String]) {
        var (set, remove): ([Field], [String]) = ([], [])
        var names: Set<String> = []
        for (name, value) in section?.entries ?? [] {
            guard FieldRules.check(name, value), let text = value.isNull ? "" : value.string() else { continue }
            if !names.insert(name.lowercased()).inserted {
                value.diagnostic("is defined twice: header names are compared without regard to case")
            } else if !FieldRules.isValue(text) {
                value.diagnostic("must not contain control characters, or begin or end with a space")
            } else if text.isEmpty {
                remove.append(name)
            } else {
                set.append(Field(name: name, value: text))
            }
        }
        set.sort { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
        remove.sort { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        return (set, remove)
    }
}

extension StrictTransport {
    fileprivate static let keys = ["stsSeconds", "stsIncludeSubdomains", "stsPreload", "forceSTSHeader"]

    /// Nil if the header is not set, as with 0 seconds.
    fileprivate init?(_ section: SettingSection) {
        let seconds = section["stsSeconds"]?.integer(0...Int(UInt32.max))
        let flags = Self.keys.dropFirst().map { section[$0]?.bool() ?? false }
        guard let seconds, seconds > 0 else {
            for (key, isSet) in zip(Self.keys.dropFirst(), flags) where isSet {
                section[key]?.warning("has no effect without stsSeconds")
            }
            return nil
        }
        self.init(seconds: seconds, includesSubdomains: flags[0], isPreloaded: flags[1], isForced: flags[2])
    }
}

/// Which headers a middleware may set (RFC 9110).
enum FieldRules {
    /// Whether the header may be set. Reports the reason if not.
    static func check(_ name: String, _ value: SettingValue) -> Bool {
        if !Token.isToken(name) {
            value.diagnostic("a header name \(Token.advice)")
        } else if FieldEdit.isFraming(name.lowercased()) {
            value.diagnostic("belongs to the connection, not to the message: only the proxy sets it")
        } else if name.lowercased() == "host" {
            value.diagnostic(
                "cannot be set in this version: with passHostHeader: false a backend gets the host of its own URL")
        } else {
            return true
        }
        return false
    }

    static func isValue(_ text: String) -> Bool {
        !text.hasPrefix(" ") && !text.hasSuffix(" ")
            && text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 }
    }
}
