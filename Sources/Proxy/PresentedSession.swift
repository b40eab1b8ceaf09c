import Affinity
import HTTPWire
import Routing

/// What a request says about its session.
enum PresentedSession {
    /// One of the configured sources is there, the one at this place.
    case key(Fingerprint, source: Int)
    /// Our own cookie is there and authentic.
    case cookie(Fingerprint, SessionCookie.Opened)
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

    /// Looks for the session key in the order of the sources.
    /// - Parameter edits: a header that middlewares have set or removed is as they left it; cookies are the client's.
    func presentedSession(_ request: RequestView, edits: FieldEdits? = nil) -> PresentedSession {
        for (index, source) in sources.enumerated() {
            switch source {
            case .header(let name, let scope, _):
                if let edits, edits.drops(name.utf8) {
                    if let key = fingerprint(of: edits.value(of: name.utf8), scope) { return .key(key, source: index) }
                } else if let key = presentedField(name, request, scope) {
                    return .key(key, source: index)
                }
            case .query(let name, let scope):
                if let key = query(name, request), isUsable(key) {
                    return .key(scope.fingerprint(of: key), source: index)
                }
            case .appCookie(let name, let scope, _):
                var found: UnsafeRawBufferPointer?
                forEachCookie(named: name, request) { value in
                    found = value
                    return false
                }
                if let found, isUsable(found) { return .key(scope.fingerprint(of: found), source: index) }
            case .clientAddress(let ipv4Prefix, let ipv6Prefix, let scope):
                if let key = address(request.client, ipv4Prefix, ipv6Prefix) {
                    return .key(key.withUnsafeBytes { scope.fingerprint(of: $0) }, source: index)
                }
            case .cookie(let scope):
                if let opened = openedCookie(request) {
                    return .cookie(opened.session.withBytes { scope.fingerprint(of: $0) }, opened)
                }
            }
        }
        return ownCookie == nil ? .none : .newSession(proposal: traefikBackend(request))
    }

    private func traefikBackend(_ request: RequestView) -> BackendHash? {
        guard let cookies = sticky?.traefikCookies, let name = ownCookie?.name else { return nil }
        var found: BackendHash?
        var tried = 0
        forEachCookie(named: name, request) { value in
            found = cookies.backend(value)
            tried += 1
            return found == nil && tried < Self.cookiesTried
        }
        return found
    }

    /// Of the value that a middleware has given a field.
    private func fingerprint(of value: ArraySlice<UInt8>?, _ scope: FingerprintScope) -> Fingerprint? {
        value?.withUnsafeBytes { isUsable($0) ? scope.fingerprint(of: $0) : nil }
    }

    func isUsable(_ key: UnsafeRawBufferPointer) -> Bool {
        guard key.count <= Self.sessionKeyMax else {
            loop.counters.oversizedSessionKeys &+= 1
            return false
        }
        return !key.isEmpty
    }

    /// Of a forwarding field what counts is what a backend is told, which a client cannot choose.
    private func presentedField(
        _ name: String, _ request: RequestView, _ scope: FingerprintScope
    ) -> Fingerprint? {
        var name = name
        guard name.withUTF8({ FieldName(spelledBy: UnsafeRawBufferPointer($0)).isForwarding }) else {
            return header(name, request.bytes, request.fields).flatMap {
                isUsable($0) ? scope.fingerprint(of: $0) : nil
            }
        }
        var found: Fingerprint?
        _ = name.withUTF8 { name in
            request.hasField(named: UnsafeRawBufferPointer(name)) { key in
                if isUsable(key) { found = scope.fingerprint(of: key) }
                return true
            }
        }
        return found
    }

    func header(
        _ name: String, _ bytes: UnsafeRawBufferPointer, _ fields: FieldTable
    ) -> UnsafeRawBufferPointer? {
        var name = name
        guard let index = name.withUTF8({ fields.firstIndex(named: UnsafeRawBufferPointer($0), in: bytes) }) else {
            return nil
        }
        return UnsafeRawBufferPointer(rebasing: bytes[fields[index].valueRange])
    }

    private func query(_ name: String, _ request: RequestView) -> UnsafeRawBufferPointer? {
        guard let query = request.query else { return nil }
        var found: UnsafeRawBufferPointer?
        NamedValues.forEach(in: query, separator: UInt8(ascii: "&"), named: name) { value in
            found = value
            return false
        }
        return found
    }

    private func address(_ client: ClientIdentity, _ ipv4Prefix: Int, _ ipv6Prefix: Int) -> [UInt8]? {
        client.bits.map { $0.prefix($0.isIPv6 ? ipv6Prefix : ipv4Prefix).bytes }
    }

    private func openedCookie(_ request: RequestView) -> SessionCookie.Opened? {
        guard let ownCookie = self.ownCookie else { return nil }
        var opened: SessionCookie.Opened?
        var tried = 0
        forEachCookie(named: ownCookie.name, request) { value in
            opened = ownCookie.sealing.open(value)
            tried += 1
            return opened == nil && tried < Self.cookiesTried
        }
        return opened
    }

    /// Calls `body` with the value of each cookie of that name until it answers false.
    private func forEachCookie(
        named name: String, _ request: RequestView, _ body: (UnsafeRawBufferPointer) -> Bool
    ) {
        let (fields, bytes) = (request.fields, request.bytes)
        var goesOn = true
        for index in 0..<fields.count where goesOn && fields[index].name == .cookie {
            let line = UnsafeRawBufferPointer(rebasing: bytes[fields[index].valueRange])
            NamedValues.forEach(in: line, separator: UInt8(ascii: ";"), named: name) { value in
                goesOn = body(value)
                return goesOn
            }
        }
    }
}
