import Affinity
import HTTPWire
import Routing

/// The session that a request presents.
enum PresentedSession {
    /// The request has a key of the configured source at this index.
    case key(Fingerprint, source: Int)
    /// The request has an authentic affinity cookie.
    case cookie(Fingerprint, AffinityCookieSealer.Opened)
    /// The request has no key, and the affinity cookie is configured: a session begins, at the backend that a Traefik
    /// cookie proposes, if any.
    case newSession(proposal: BackendHash?)
    /// The request has no key, and no session begins: the request is balanced.
    case none
}

extension ServiceRuntime {
    /// Longer session keys are counted and treated as absent.
    static let sessionKeyMax = 4096
    /// The maximum number of cookies of the affinity cookie's name that are tried in one request.
    private static let cookiesTried = 4
    /// The maximum number of session keys of one source that are read in one request.
    private static let keysTried = 4

    /// Looks for the session key in the order of the sources. If a source has several values, the first usable one
    /// counts; see ``otherKeys(_:edits:besides:)``.
    /// - Parameter edits: the middlewares' edits. A header that they set or removed is read as edited; cookies are the
    ///   client's.
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

    /// The further keys of a request from the source of `presented`: a stale cookie may precede the current one.
    /// Each key once, in order; at most a few.
    func otherKeys(_ request: RequestView, edits: FieldEdits?, besides presented: PresentedSession) -> [Fingerprint] {
        let sources = sessionRules.sources
        guard case .key(let key, let source) = presented, sources.indices.contains(source) else { return [] }
        var found: [Fingerprint] = []
        var isFirst = true
        forEachKey(of: sources[source], request, edits) { value, scope in
            guard Self.hasUsableLength(value) else { return true }
            // The first usable value is the one that was presented.
            guard !isFirst else {
                isFirst = false
                return true
            }
            let other = scope.fingerprint(of: value)
            if other != key, !found.contains(other) { found.append(other) }
            return found.count < Self.keysTried - 1
        }
        return found
    }

    /// The backend at which to begin a session with an unknown key: the backend in the hint of the affinity cookie, if
    /// the request also presents one; otherwise the backend that a Traefik cookie proposes.
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

    /// Whether a value can be a session key. Counts values that are too long.
    func isUsable(_ key: UnsafeRawBufferPointer) -> Bool {
        if key.count > Self.sessionKeyMax { loop.counters.oversizedSessionKeys &+= 1 }
        return Self.hasUsableLength(key)
    }

    private static func hasUsableLength(_ key: UnsafeRawBufferPointer) -> Bool {
        !key.isEmpty && key.count <= sessionKeyMax
    }

    /// Calls `body` with each value of this source in a request, in order, until it returns false; never for the
    /// affinity cookie. For forwarding headers, uses the value sent upstream: the client cannot forge it.
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

    /// Calls `body` with the value of each cookie of that name, without surrounding quotation marks, until it returns
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
