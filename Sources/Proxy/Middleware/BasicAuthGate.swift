import Crypto

/// A ``BasicAuth`` prepared for requests: the users by name.
struct BasicAuthGate: Sendable {
    let settings: BasicAuth
    private let hashes: [[UInt8]: PasswordHash]
    private let all: [PasswordHash]

    /// If two lines have the same name, the last one counts, as in Traefik.
    init(_ settings: BasicAuth) {
        self.settings = settings
        hashes = Dictionary(settings.users.map { (Array($0.name.utf8), $0.passwordHash) }) { $1 }
        all = settings.users.map(\.passwordHash)
    }

    func hash(of user: [UInt8]) -> PasswordHash? { hashes[user] }

    /// The hash of an existing user, always the same one for a given name. The password of an unknown name is checked
    /// against it, so that the response time does not reveal which names exist. Nil without users.
    func decoy(for user: [UInt8], key: SymmetricKey) -> PasswordHash? {
        guard !all.isEmpty else { return nil }
        let code = HMAC<SHA256>.authenticationCode(for: user, using: key)
        let number = code.withUnsafeBytes { $0.loadUnaligned(as: UInt64.self) }
        return all[Int(number % UInt64(all.count))]
    }
}
