import CLimpetCrypt
import Crypto

extension PasswordHash {
    /// Whether the hash was made from this password. Deliberately slow, up to seconds: never call it on an event loop.
    /// The comparison takes the same time wherever the digests differ.
    func matches(_ password: [UInt8]) -> Bool {
        switch self {
        case .bcrypt(let hash):
            // libcrypt ends the password at a zero byte.
            guard !password.contains(0) else { return false }
            let text = password.map { CChar(bitPattern: $0) } + [0]
            return limpet_bcrypt_matches(text, hash)
        case .apr1(let salt, let digest):
            return Self.equal(APR1.digest(of: password, salt: Array(salt.utf8)), Array(digest.utf8))
        case .sha1(let text):
            guard let digest = Array(text.utf8).withUnsafeBytes({ Base64.decode($0) }) else { return false }
            return Self.equal(Array(Insecure.SHA1.hash(data: password)), digest)
        }
    }

    /// A text that distinguishes the hash from every other hash.
    var text: String {
        switch self {
        case .bcrypt(let hash): hash
        case .apr1(let salt, let digest): "$apr1$\(salt)$\(digest)"
        case .sha1(let digest): "{SHA}\(digest)"
        }
    }

    private static func equal(_ one: [UInt8], _ other: [UInt8]) -> Bool {
        SymmetricKey(data: one) == SymmetricKey(data: other)
    }
}
