import CLimpetCrypt
import Crypto

extension PasswordHash {
    /// Whether it was made of this password. Slow on purpose, up to seconds: never to be called on an event loop. What
    /// is compared takes as long wherever it differs.
    func matches(_ password: [UInt8]) -> Bool {
        switch self {
        case .bcrypt(let hash):
            // To libcrypt a zero byte ends the password.
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

    /// The text that tells it from every other hash.
    var text: String {
        switch self {
        case .bcrypt(let hash): hash
        case .apr1(let salt, let digest): "$apr1$\(salt)$\(digest)"
        case .sha1(let digest): "{SHA}\(digest)"
        }
    }

    private static func equal(_ one: [UInt8], _ other: [UInt8]) -> Bool {
        guard one.count == other.count else { return false }
        return zip(one, other).reduce(0) { $0 | ($1.0 ^ $1.1) } == 0
    }
}
