package import Affinity
import Crypto

/// Traefik's sticky cookies, so that a fleet that replaces Traefik finds existing sessions at their backends. Such a
/// cookie is neither sealed nor signed: it proposes a backend to a new session, and overrides nothing.
package struct TraefikCookies: Sendable {
    private let backends: [UInt64: BackendHash]

    /// - Parameter names: Traefik's names of the members, in their order: the configured URLs of servers, or the names
    ///   of a weighted service's children as written.
    package init(names: [String], membership: Membership) {
        let pairs = zip(names, membership.backends).map { (Self.value(of: $0), $1.hash) }
        backends = Dictionary(pairs) { first, _ in first }
    }

    /// The backend that the value of a cookie refers to: 16 hexadecimal digits in lower case.
    func backend(_ value: UnsafeRawBufferPointer) -> BackendHash? {
        guard value.count == 16 else { return nil }
        var number: UInt64 = 0
        for digit in value {
            switch digit {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): number = number << 4 | UInt64(digit - UInt8(ascii: "0"))
            case UInt8(ascii: "a")...UInt8(ascii: "f"): number = number << 4 | UInt64(digit - UInt8(ascii: "a") + 10)
            default: return nil
            }
        }
        return backends[number]
    }

    /// The first 8 bytes of the SHA-256 of a name: written as 16 digits, the value of a cookie for it.
    package static func value(of name: String) -> UInt64 {
        SHA256.hash(data: Array(name.utf8)).withUnsafeBytes { UInt64(bigEndian: $0.loadUnaligned(as: UInt64.self)) }
    }
}
