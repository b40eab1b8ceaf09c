import Crypto

/// A ``BasicAuth`` made ready for requests: the users by name, and the challenge as it is sent.
struct BasicAuthGate: Sendable {
    let settings: BasicAuth
    private let hashes: [[UInt8]: PasswordHash]
    private let all: [PasswordHash]

    /// Of two lines for one name the last counts, as in Traefik.
    init(_ settings: BasicAuth) {
        self.settings = settings
        hashes = Dictionary(settings.users.map { (Array($0.name.utf8), $0.passwordHash) }) { $1 }
        all = settings.users.map(\.passwordHash)
    }

    func hash(of user: [UInt8]) -> PasswordHash? { hashes[user] }

    /// The hash of somebody, always the same for one name, against which the password of a name that nobody has is
    /// checked: so that the time tells nothing. Nil where there are no users at all.
    func decoy(for user: [UInt8], key: SymmetricKey) -> PasswordHash? {
        guard !all.isEmpty else { return nil }
        let code = HMAC<SHA256>.authenticationCode(for: user, using: key)
        let number = code.withUnsafeBytes { $0.loadUnaligned(as: UInt64.self) }
        return all[Int(number % UInt64(all.count))]
    }
}
