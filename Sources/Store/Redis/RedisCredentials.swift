/// The user and password for a Redis. No text form of it contains the password.
package struct RedisCredentials: Hashable, Sendable {
    /// Nil means Redis's default user.
    package var username: String?
    package var password: String

    package init(username: String? = nil, password: String) {
        self.username = username
        self.password = password
    }

    /// Takes the credentials off the front of a URL without its scheme. The last `@` ends them.
    static func split(_ rest: Substring) throws(RedisEndpointError) -> (RedisCredentials?, Substring) {
        guard let at = rest.lastIndex(of: "@") else { return (nil, rest) }
        let parts = rest[..<at].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, let username = percentDecoded(parts[0]), let password = percentDecoded(parts[1]) else {
            throw RedisEndpointError("write percent-encoded user:password or :password before the @")
        }
        let credentials = RedisCredentials(username: username.isEmpty ? nil : username, password: password)
        return (credentials, rest[rest.index(after: at)...])
    }

    private static func percentDecoded(_ text: Substring) -> String? {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let high = rest.popFirst().flatMap(hexDigit), let low = rest.popFirst().flatMap(hexDigit) else {
                return nil
            }
            bytes.append(high << 4 | low)
        }
        return String(validating: bytes, as: UTF8.self)
    }

    private static func hexDigit(_ byte: UInt8) -> UInt8? {
        Character(Unicode.Scalar(byte)).hexDigitValue.map(UInt8.init)
    }
}

extension RedisCredentials: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package var description: String { "RedisCredentials(…)" }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: [:]) }
}
