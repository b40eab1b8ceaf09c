import Affinity
import Crypto

/// Writes and reads the affinity cookie of one service. Immutable; a class, because every request uses it.
final class AffinityCookie {
    let name: String
    let sealing: AffinityCookieSealer
    let scope: FingerprintScope?
    private let prefix: [UInt8]
    private let suffix: [UInt8]
    /// For requests that came over TLS.
    private let secureSuffix: [UInt8]

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
        suffix = Array("\(cookie.suffix(isSecure: false))\r\n".utf8)
        secureSuffix = Array("\(cookie.suffix(isSecure: true))\r\n".utf8)
    }

    /// The complete Set-Cookie line.
    ///
    /// - Parameter isSecure: whether the request came over TLS.
    func line(
        _ id: AffinityCookieSealer.SessionID, _ hint: Hint, isSecure: Bool, random: (UInt64, UInt32)
    ) -> [UInt8] {
        prefix + sealing.seal(id, hint, random: random) + (isSecure ? secureSuffix : suffix)
    }
}

@available(*, unavailable)
extension AffinityCookie: Sendable {}
