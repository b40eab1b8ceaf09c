/// The first word of a Redis error. Only this word is ever logged: the rest may repeat arguments, including a password
/// or a key.
struct RedisErrorCode: Hashable, Sendable, CustomStringConvertible {
    let description: String

    static let wrongType = RedisErrorCode("WRONGTYPE")
    static let readOnly = RedisErrorCode("READONLY")
    static let noReplicas = RedisErrorCode("NOREPLICAS")
    static let noScript = RedisErrorCode("NOSCRIPT")
    static let wrongPassword = RedisErrorCode("WRONGPASS")
    static let noAuthentication = RedisErrorCode("NOAUTH")
    static let noPermission = RedisErrorCode("NOPERM")

    private static let longest = 24

    private init(_ word: String) { description = word }

    /// `ERR` if the error does not begin with a word in capitals.
    init(_ text: UnsafeRawBufferPointer) {
        let word = text.prefix { $0 != UInt8(ascii: " ") }
        let isCode = (1...Self.longest).contains(word.count) && word.allSatisfy { (0x41...0x5A).contains($0) }
        description = isCode ? String(decoding: word, as: UTF8.self) : "ERR"
    }
}
