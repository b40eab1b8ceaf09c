import Affinity
import HTTPWire

extension ServiceRuntime {
    /// The maximum number of session keys read from one response; real responses issue no more.
    static let issuedKeysMax = 4

    /// Calls `body` with the fingerprint of each session key that a response issues, from all sources that learn. For a
    /// header, the first usable value counts; for a cookie, every value that is set, because clients keep cookies with
    /// different paths alongside each other (RFC 6265, section 5.3). Each key is reported once, at most
    /// ``issuedKeysMax`` in all, and only if a request could present it. Allocates nothing.
    func forEachIssuedKey(_ response: ResponseView, _ body: (Fingerprint) -> Void) {
        var issued = InlineArray<4, Fingerprint>(repeating: Fingerprint(high: 0, low: 0))
        var count = 0
        func add(_ key: UnsafeRawBufferPointer, _ scope: FingerprintScope) -> Bool {
            guard isUsable(key) else { return false }
            let fingerprint = scope.fingerprint(of: key)
            for index in 0..<count where issued[index] == fingerprint { return true }
            issued[count] = fingerprint
            count += 1
            body(fingerprint)
            return true
        }
        for source in sessionRules.sources where count < Self.issuedKeysMax {
            switch source {
            case .header(let name, let scope, learns: true):
                forEachField(named: name, response) { !add($0, scope) }
            case .appCookie(let name, let scope, learns: true):
                forEachSetCookie(named: name, response) { value in
                    _ = add(value, scope)
                    return count < Self.issuedKeysMax
                }
            case .header, .query, .appCookie, .clientAddress, .cookie:
                break
            }
        }
    }

    /// Calls `body` with the value of each field of that name (in lower case), until it returns false.
    private func forEachField(
        named name: String, _ response: ResponseView, _ body: (UnsafeRawBufferPointer) -> Bool
    ) {
        let (fields, bytes) = (response.fields, response.bytes)
        var name = name
        name.withUTF8 { name in
            let name = UnsafeRawBufferPointer(name)
            var index = fields.firstIndex(named: name, in: bytes)
            while let place = index, body(UnsafeRawBufferPointer(rebasing: bytes[fields[place].valueRange])) {
                index = fields.firstIndex(named: name, in: bytes, from: place + 1)
            }
        }
    }

    /// Calls `body` with each value that the client receives for this cookie, until it returns false. A deletion does
    /// not revoke an earlier value: it may apply to the cookie of another path.
    private func forEachSetCookie(
        named name: String, _ response: ResponseView, _ body: (UnsafeRawBufferPointer) -> Bool
    ) {
        let (fields, bytes) = (response.fields, response.bytes)
        guard let first = fields.first(.setCookie) else { return }
        let now = loop.wallClock()
        var index: Int? = first
        while let place = index {
            let field = UnsafeRawBufferPointer(rebasing: bytes[fields[place].valueRange])
            if let cookie = SetCookie(field), cookie.name.elementsEqual(name.utf8), !cookie.isDeletion(at: now),
                !body(cookie.value)
            {
                return
            }
            index = fields.next(.setCookie, after: place)
        }
    }
}
