import Affinity
import Crypto

/// Writes and reads the affinity cookie of one service. Immutable; a class, because every request uses it.
final class AffinityCookie {
    let name: String
    let sealing: AffinityCookieSealer
    let scope: FingerprintScope?
    private let prefix: [UInt8]
    private let suffix: [UInt8]

    /// Nil if the service has no affinity cookie.
    init?(_ service: Service, keys: [SymmetricKey]) {
        guard let sticky = service.sticky, let cookie = sticky.cookie else { return nil }
        name = cookie.name
        sealing = AffinityCookieSealer(keys: keys, service: service.name)
        scope =
            sticky.sources.compactMap {
                if case .cookie(let scope) = $0 { scope } else { nil }
            }.first
        prefix = Array("Set-Cookie: \(cookie.name)=".utf8)
        suffix = Array("\(cookie.suffix)\r\n".utf8)
    }

    /// The complete Set-Cookie line.
    func line(_ id: AffinityCookieSealer.SessionID, _ hint: Hint, random: (UInt64, UInt32)) -> [UInt8] {
        prefix + sealing.seal(id, hint, random: random) + suffix
    }
}

@available(*, unavailable)
extension AffinityCookie: Sendable {}
