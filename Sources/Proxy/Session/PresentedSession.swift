import Affinity
import HTTPWire
import Routing

/// What a request says about its session.
enum PresentedSession {
    /// One of the configured sources is there, the one at this place.
    case key(Fingerprint, source: Int)
    /// Our own cookie is there and authentic.
    case cookie(Fingerprint, AffinityCookieSealer.Opened)
    /// None is there, and our own cookie is configured: a session begins, where a cookie of Traefik's proposes it.
    case newSession(proposal: BackendHash?)
    /// None is there, and nothing begins: the request is balanced.
    case none
}

extension ServiceRuntime {
    /// Session keys longer than this are counted, and treated as absent.
    static let sessionKeyMax = 4096
    /// Cookies of our own name that are tried in one request.
    private static let cookiesTried = 4
    /// Session keys of one source that are looked at in one request.
    private static let keysTried = 4

    /// Looks for the session key in the order of the sources. Of several values of one source the first that is usable
    /// counts; see ``otherKeys(_:edits:besides:)``.
    /// - Parameter edits: a header that middlewares have set or removed is as they left it; cookies are the client's.
    func presentedSession(_ request: RequestView, edits: FieldEdits? = nil) -> PresentedSession {
        for (index, source) in sessionRules.sources.enumerated() {
            if case .cookie(let scope) = source {
                guard let opened = openedCookie(request) else { continue }
                return .cookie(opened.session.withBytes { scope.fingerprint(of: $0) }, opened)
            }
            var found: Fingerprint?
            forEachKey(of: source, request, edits) { key, scope in
                guard isUsable(key) else { return true }
                found = scope.fingerprint(of: key)
                return false
            }
            if let found { return .key(found, source: index) }
        }
        return sessionRules.affinityCookie == nil ? .none : .newSession(proposal: traefikBackend(request))
    }

    /// The further keys that a request has of the source of `presented`: a stale cookie may stand before the one that
    /// counts. Each once, in their order; not many.
    func otherKeys(_ request: RequestView, edits: FieldEdits?, besides presented: PresentedSession) -> [Fingerprint] {
        let sources = sessionRules.sources
        guard case .key(let key, let source) = presented, sources.indices.contains(source) else { return [] }
        var found: [Fingerprint] = []
        forEachKey(of: sources[source], request, edits) { value, scope in
            guard Self.hasUsableLength(value) else { return true }
            let other = scope.fingerprint(of: value)
            if other != key, !found.contains(other) { found.append(other) }
            return found.count < Self.keysTried - 1
        }
        return found
    }

    /// Where a session begins whose key nobody knows, in a request that presents our cookie beside it: at the backend
    /// that the cookie's hint names; else where a cookie of Traefik's proposes it.
    func proposedBackend(_ request: RequestView) -> BackendHash? {
        guard sessionRules.affinityCookie != nil else { return nil }
        let hint = openedCookie(request).flatMap { believable($0.hint, now: loop.wallClock()) }
        return hint?.binding.backend ?? traefikBackend(request)
    }

    private func traefikBackend(_ request: RequestView) -> BackendHash? {
        guard let cookies = sticky?.traefikCookies, let name = sessionRules.affinityCookie?.name else { return nil }
        var found: BackendHash?
        var tried = 0
        forEachCookie(named: name, request) { value in
            found = cookies.backend(value)
            tried += 1
            return found == nil && tried < Self.cookiesTried
        }
        return found
    }

    /// Whether a value can be a session key. Counts one that is too long.
    func isUsable(_ key: UnsafeRawBufferPointer) -> Bool {
        if key.count > Self.sessionKeyMax { loop.counters.oversizedSessionKeys &+= 1 }
        return Self.hasUsableLength(key)
    }

    private static func hasUsableLength(_ key: UnsafeRawBufferPointer) -> Bool {
        !key.isEmpty && key.count <= sessionKeyMax
    }

    /// Calls `body` with each value that a request has of this source, in their order, until it answers false; of our
    /// own cookie with none. Of a forwarding field what counts is what a backend is told, which a client cannot choose.
    private func forEachKey(
        of source: Sticky.Source, _ request: RequestView, _ edits: FieldEdits?,
        _ body: (UnsafeRawBufferPointer, FingerprintScope) -> Bool
    ) {
        switch source {
        case .header(var name, let scope, _):
            if let edits, edits.drops(name.utf8) {
                _ = edits.value(of: name.utf8)?.withUnsafeBytes { body($0, scope) }
                return
            }
            _ = name.withUTF8 { name in
                request.hasField(named: UnsafeRawBufferPointer(name)) { !body($0, scope) }
            }
        case .query(var name, let scope):
            guard let query = request.query else { return }
            name.withUTF8 { name in
                NamedValues.forEach(
                    in: query, separator: UInt8(ascii: "&"), named: UnsafeRawBufferPointer(name)
                ) { body($0, scope) }
            }
        case .appCookie(let name, let scope, _):
            forEachCookie(named: name, request) { body($0, scope) }
        case .clientAddress(let ipv4Prefix, let ipv6Prefix, let scope):
            guard let bits = request.client.bits else { return }
            let address = bits.prefix(bits.isIPv6 ? ipv6Prefix : ipv4Prefix).bytes
            _ = address.withUnsafeBytes { body($0, scope) }
        case .cookie:
            break
        }
    }

    private func openedCookie(_ request: RequestView) -> AffinityCookieSealer.Opened? {
        guard let affinityCookie = sessionRules.affinityCookie else { return nil }
        var opened: AffinityCookieSealer.Opened?
        var tried = 0
        forEachCookie(named: affinityCookie.name, request) { value in
            opened = affinityCookie.sealing.open(value)
            tried += 1
            return opened == nil && tried < Self.cookiesTried
        }
        return opened
    }

    /// Calls `body` with the value of each cookie of that name, without quotation marks around it, until it answers
    /// false.
    private func forEachCookie(
        named name: String, _ request: RequestView, _ body: (UnsafeRawBufferPointer) -> Bool
    ) {
        var name = name
        let (fields, bytes) = (request.fields, request.bytes)
        name.withUTF8 { name in
            var goesOn = true
            for index in 0..<fields.count where goesOn && fields[index].name == .cookie {
                let line = UnsafeRawBufferPointer(rebasing: bytes[fields[index].valueRange])
                NamedValues.forEach(
                    in: line, separator: UInt8(ascii: ";"), named: UnsafeRawBufferPointer(name)
                ) { value in
                    goesOn = body(CookieValue.unquoted(value) ?? value)
                    return goesOn
                }
            }
        }
    }
}
