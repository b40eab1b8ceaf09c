/// The stored hash of a password, in one of the forms that htpasswd writes.
package enum PasswordHash: Equatable, Sendable, CustomStringConvertible {
    /// `$2y$`, `$2a$` or `$2b$`: bcrypt, the complete text.
    case bcrypt(String)
    /// `$apr1$salt$…`: Apache's MD5.
    case apr1(salt: String, digest: String)
    /// `{SHA}` and 28 characters of Base64.
    case sha1(String)

    /// Nil for any other form.
    package init?(htpasswd text: String) {
        if text.hasPrefix("{SHA}") {
            guard text.utf8.count == 33 else { return nil }
            self = .sha1(String(text.dropFirst(5)))
        } else if text.hasPrefix("$apr1$") {
            let parts = text.split(separator: "$", omittingEmptySubsequences: false)
            guard parts.count == 4, (1...8).contains(parts[2].utf8.count), parts[3].utf8.count == 22 else { return nil }
            self = .apr1(salt: String(parts[2]), digest: String(parts[3]))
        } else {
            guard ["$2a$", "$2b$", "$2y$"].contains(where: text.hasPrefix), text.utf8.count == 60,
                let cost = Self.cost(of: text), (4...31).contains(cost)
            else { return nil }
            self = .bcrypt(text)
        }
    }

    /// The cost of bcrypt: each increment doubles the time of a check. Nil for the other forms.
    package var cost: Int? {
        if case .bcrypt(let text) = self { Self.cost(of: text) } else { nil }
    }

    private static func cost(of text: String) -> Int? { Int(text.dropFirst(4).prefix(2)) }

    /// Does not reveal the hash.
    package var description: String { "(password hash)" }
}
