import Affinity
import HTTPWire

extension ServiceRuntime {
    /// Session keys of one response that are looked at; it issues no more in earnest.
    static let issuedKeysMax = 4

    /// Calls `body` with the fingerprint of each session key that a response issues, of all sources that learn: of a
    /// field the first value, of a cookie every one that it sets, as the client keeps those of different paths beside
    /// each other (RFC 6265, section 5.3). Each once, ``issuedKeysMax`` in all, and none that no request could present.
    /// Allocates nothing.
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

    /// Calls `body` with the value of each field of that name, given in lower case, until it answers false.
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

    /// Calls `body` with each value that the client is given of this cookie until it answers false. One that is deleted
    /// takes nothing back: it may be the one of another path.
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
