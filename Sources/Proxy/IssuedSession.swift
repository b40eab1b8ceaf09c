import Affinity
import HTTPWire

extension ServiceRuntime {
    /// The fingerprint of the session key that a response issues: of the first of the sources that learn and are there.
    /// Nil where there is none, or one that no request could present.
    func issuedKey(_ bytes: UnsafeRawBufferPointer, _ fields: FieldTable) -> Fingerprint? {
        guard let sticky else { return nil }
        for source in sticky.sources {
            switch source {
            case .header(let name, let scope, learns: true):
                if let key = header(name, bytes, fields), isUsable(key) { return scope.fingerprint(of: key) }
            case .appCookie(let name, let scope, learns: true):
                if let key = issuedCookie(name, bytes, fields), isUsable(key) { return scope.fingerprint(of: key) }
            case .header, .query, .appCookie, .clientAddress, .cookie:
                break
            }
        }
        return nil
    }

    /// The value that the client has of this cookie after the response: the last that is set counts. Nil where it has
    /// none, or keeps what it had. One that is deleted takes nothing back: it may be the one of another path.
    private func issuedCookie(
        _ name: String, _ bytes: UnsafeRawBufferPointer, _ fields: FieldTable
    ) -> UnsafeRawBufferPointer? {
        let now = loop.wallClock()
        var found: UnsafeRawBufferPointer?
        var index = fields.first(.setCookie)
        while let place = index {
            let field = UnsafeRawBufferPointer(rebasing: bytes[fields[place].valueRange])
            if let cookie = SetCookie(field), cookie.name.elementsEqual(name.utf8), !cookie.isDeletion(at: now) {
                found = cookie.value
            }
            index = fields.next(.setCookie, after: place)
        }
        return found
    }
}
