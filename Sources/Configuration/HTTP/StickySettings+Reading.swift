import Affinity
import Crypto
import Proxy
import Routing

extension StickySettings {
    private static let timeouts = Duration.seconds(1)...(.seconds(366 * 86400))
    private static let idleTimeoutDefault = Duration.seconds(86400)

    /// Nil if no session key source is configured. Reports an error, unless sources were only disabled explicitly.
    init?(_ section: SettingSection, cookieOf service: String, lease: Duration) {
        section.check(
            known: [
                "cookie", "header", "query", "appCookie", "clientIP", "idleTimeout", "absoluteTimeout", "onUnavailable",
            ])
        let cookie = section.present("cookie").flatMap { SessionKeySource.affinityCookie($0, of: service) }
        sources = [
            section.present("header").flatMap(Self.header),
            section.present("query").flatMap(Self.query).map(SessionKeySource.query),
            section.present("appCookie").flatMap { Self.place($0, learnsByDefault: true) }
                .map { .appCookie(name: $0.name, learns: $0.learns) },
            section.present("clientIP").flatMap(Self.clientIP),
            cookie,
        ].compactMap(\.self)
        idleTimeout = section["idleTimeout"]?.duration(Self.timeouts) ?? Self.idleTimeoutDefault
        absoluteTimeout = section["absoluteTimeout"]?.duration(Self.timeouts)
        onUnavailable = section["onUnavailable"]?.choice(AffinitySettings.Unavailability.self) ?? .move
        checkTimeouts(section, lease: lease)
        checkTogether(section)
        if sources.isEmpty {
            checkInert(section)
            return nil
        }
    }

    /// Reports a section that sets timeouts or `onUnavailable` but no session key source: it would keep no session.
    /// Errors in a source, or in what was intended as one, have been reported already.
    private func checkInert(_ section: SettingSection) {
        let said = section.entries.filter { name, value in
            let isSwitch = ["cookie", "clientIP"].contains { section.isSame(name, $0) }
            return !isSwitch || value.text?.lowercased() != "false"
        }
        let names = ["idleTimeout", "absoluteTimeout", "onUnavailable"]
        guard section.isEmpty || !said.isEmpty,
            said.allSatisfy({ entry in names.contains { section.isSame(entry.name, $0) } })
        else { return }
        section.diagnostic("has no session key: set cookie, header, query, appCookie or clientIP")
    }

    private func checkTimeouts(_ section: SettingSection, lease: Duration) {
        if idleTimeout < lease * 4 {
            section["idleTimeout"]?.diagnostic(
                "must be at least four times store.lease (\(DurationText.write(lease * 4)))")
        }
        if let absoluteTimeout, absoluteTimeout < idleTimeout {
            section["absoluteTimeout"]?.diagnostic(
                "must be at least idleTimeout (\(DurationText.write(idleTimeout)))")
        }
    }

    private func checkTogether(_ section: SettingSection) {
        if cookie != nil, sources.contains(where: \.isClientIP) {
            section.present("clientIP")?.diagnostic(
                "cannot be combined with cookie: every request has a client address, so the cookie would never be used")
        }
        for case .appCookie(let name, _) in sources where name == cookie?.name {
            section["appCookie"]?.diagnostic("has the name of Limpet's own cookie: choose another name")
        }
    }

    /// Refuses a header that every message has, which would put all clients into one session, and a header that no
    /// client sends, which would keep no session.
    private static func header(_ value: SettingValue) -> SessionKeySource? {
        guard let place = place(value) else { return nil }
        let lowercased = place.name.lowercased()
        let fault: String? =
            switch lowercased {
            case "host": "is the same for all clients of a site, so it cannot identify a session"
            case "cookie": "holds all cookies of a client: name a single one with appCookie"
            case "set-cookie": "is sent by servers only: name the cookie with appCookie"
            case _ where FieldEdit.isFraming(lowercased):
                "belongs to the connection, so it cannot identify a session"
            default: nil
            }
        guard let fault else { return .header(name: place.name, learns: place.learns) }
        (value.isMapping ? value.section()?["name"] ?? value : value).diagnostic(fault)
        return nil
    }

    private static func query(_ value: SettingValue) -> String? {
        guard let place = place(value, isToken: false) else { return nil }
        if place.learns {
            (value.section()?["learn"] ?? value).diagnostic(
                "must be false: a response has no query to learn a session key from")
        }
        return place.name
    }

    /// Written as the name alone, or as a mapping with `name` and `learn`.
    private static func place(
        _ value: SettingValue, isToken: Bool = true, learnsByDefault: Bool = false
    ) -> (name: String, learns: Bool)? {
        var (nameValue, learns) = (value, learnsByDefault)
        if value.isMapping {
            guard let section = value.section() else { return nil }
            section.check(known: ["name", "learn"])
            learns = section["learn"]?.bool() ?? learnsByDefault
            guard
                let inner = section.required("name", "name the header, parameter or cookie that holds the session key")
            else { return nil }
            nameValue = inner
        }
        guard let text = nameValue.nonEmptyString() else { return nil }
        guard !isToken || Token.isToken(text) else {
            nameValue.diagnostic(Token.advice)
            return nil
        }
        return (text, learns)
    }

    private static func clientIP(_ value: SettingValue) -> SessionKeySource? {
        if value.text != nil {
            return value.bool() == true ? .clientIP(ipv4Prefix: 32, ipv6Prefix: 64) : nil
        }
        guard let section = value.section() else { return nil }
        section.check(known: ["ipv4Prefix", "ipv6Prefix"])
        return .clientIP(
            ipv4Prefix: section["ipv4Prefix"]?.integer(1...32) ?? 32,
            ipv6Prefix: section["ipv6Prefix"]?.integer(1...128) ?? 64)
    }
}

extension SessionKeySource {
    /// The affinity cookie, with Traefik's defaults. Nil for `false`, and for a value that is not a cookie's settings.
    /// `true` is the same as `{}`.
    fileprivate static func affinityCookie(_ value: SettingValue, of service: String) -> SessionKeySource? {
        var cookie = CookieAttributes(name: defaultName(of: service))
        if value.text != nil {
            return value.bool() == true ? .cookie(cookie, acceptsTraefikCookie: false) : nil
        }
        guard let section = value.section() else { return nil }
        section.check(
            known: ["name", "secure", "httpOnly", "sameSite", "maxAge", "path", "domain", "acceptTraefikCookie"],
            unavailable: ["expires"])
        if let value = section["name"], let text = value.nonEmptyString() {
            let name = sanitized(text)
            cookie.name = name
            if name != text { value.warning("is not a token: the cookie is called \(name), as in Traefik") }
        }
        cookie.secure = section["secure"]?.bool()
        cookie.httpOnly = section["httpOnly"]?.bool() ?? false
        let acceptsTraefikCookie = section["acceptTraefikCookie"]?.bool() ?? false
        cookie.sameSite = section["sameSite"].flatMap(sameSite)
        cookie.maxAge = section["maxAge"].flatMap(maxAge) ?? 0
        if let value = section["path"], let text = value.string() { cookie.path = path(text, value) }
        if let value = section["domain"], let text = value.string(), !text.isEmpty {
            cookie.domain = domain(text, value)
        }
        check(cookie, section)
        return .cookie(cookie, acceptsTraefikCookie: acceptsTraefikCookie)
    }

    /// The name that Traefik gives the cookie of a service, which Traefik calls `name@provider`.
    private static func defaultName(of service: String) -> String {
        let digest = Insecure.SHA1.hash(data: Array("_TRAEFIK_BACKEND_\(service)".utf8))
        let digits = Array("0123456789abcdef")
        let hex = digest.prefix(3).flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
        return "_" + String(hex.prefix(5))
    }

    /// Traefik's rule to turn any text into a cookie name: character by character, with `_` for each invalid one.
    private static func sanitized(_ text: String) -> String {
        String(text.unicodeScalars.map { Token.isToken(String($0)) ? Character($0) : "_" })
    }

    /// Traefik treats an empty text as absent.
    private static func sameSite(_ value: SettingValue) -> CookieAttributes.SameSite? {
        value.text?.isEmpty == true ? nil : value.choice(CookieAttributes.SameSite.self)
    }

    /// Seconds, and nothing else, as in Traefik.
    private static func maxAge(_ value: SettingValue) -> Int? {
        let range = 0...Int(Int32.max)
        guard let text = value.text, Int(text) == nil, let duration = DurationText.read(text),
            duration.components.attoseconds == 0, case let seconds = Int(duration.components.seconds), seconds > 0,
            range.contains(seconds)
        else { return value.integer(range) }
        value.diagnostic("is \(Excerpt.of(text)): write seconds, \(seconds)")
        return nil
    }

    private static func path(_ text: String, _ value: SettingValue) -> String {
        if !text.hasPrefix("/") || !isAttribute(text) {
            value.diagnostic("must begin with / and must not contain semicolons, spaces or control characters")
        }
        return text
    }

    private static func domain(_ text: String, _ value: SettingValue) -> String {
        if !HostSyntax.isHost(text.hasPrefix(".") ? text.dropFirst() : text[...]) {
            value.diagnostic("must be a domain, such as example.com")
        } else if text.hasSuffix(".") {
            value.warning("ends with a dot: browsers reject such a cookie")
        }
        return text
    }

    private static func isAttribute(_ text: String) -> Bool {
        text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: ";") }
    }

    /// Reports attributes that browsers refuse (RFC 6265bis, sections 4.1.3 and 5.6).
    private static func check(_ cookie: CookieAttributes, _ section: SettingSection) {
        let lowercased = cookie.name.lowercased()
        if cookie.sameSite == CookieAttributes.SameSite.none, cookie.secure != true {
            section["sameSite"]?.warning("is none, which browsers reject unless secure is true")
        }
        if lowercased.hasPrefix("__secure-") || lowercased.hasPrefix("__host-"), cookie.secure != true {
            section["name"]?.diagnostic("is rejected by browsers unless secure is true")
        }
        if lowercased.hasPrefix("__host-"), cookie.path != "/" || cookie.domain != nil {
            section["name"]?.diagnostic("is rejected by browsers unless path is / and domain is not set")
        }
    }
}
