package import Crypto

/// The keys that seal the session tickets of one set of TLS options, derived from the fleet secret by HKDF-SHA-256 (RFC
/// 5869): all replicas of a fleet that are configured alike have the same keys, and agree on them without a word.
///
/// The options are part of the derivation, so a session that began under other rules, for client certificates above
/// all, cannot be resumed under these. Pure: the time is an argument.
package struct TicketKeys: Sendable {
    /// How long a key seals tickets, in seconds. A ticket is accepted for one to two periods.
    package static let periodSeconds: Int64 = 12 * 3600

    /// One key, as BoringSSL takes it.
    package struct Key: Equatable, Sendable {
        /// 16 bytes, public: a ticket begins with them.
        package let name: [UInt8]
        /// 32 bytes, AES-256.
        package let cipher: [UInt8]
        /// 32 bytes, HMAC-SHA-256.
        package let mac: [UInt8]
    }

    private let secret: SymmetricKey
    private let info: [UInt8]

    /// - Parameters:
    ///   - secret: derived from the fleet secret for tickets alone.
    ///   - options: those under which sessions begin.
    package init(secret: SymmetricKey, options: TLSOptions) {
        self.secret = secret
        let name = Array(options.name.utf8)
        info = Array("limpet tls ticket 1".utf8) + Self.bytes(Int64(name.count)) + name + options.fingerprint
    }

    /// The index of the period that contains this time, given in seconds since 1970.
    package static func periodIndex(at seconds: Int64) -> Int64 {
        seconds >= 0 ? seconds / periodSeconds : 0
    }

    package func key(ofPeriod periodIndex: Int64) -> Key {
        let derived = HKDF<SHA256>.deriveKey(
            inputKeyMaterial: secret, info: info + Self.bytes(periodIndex), outputByteCount: 80)
        return derived.withUnsafeBytes { bytes in
            Key(name: Array(bytes[0..<16]), cipher: Array(bytes[16..<48]), mac: Array(bytes[48..<80]))
        }
    }

    /// The key that seals in this period, then the others that are accepted: that of the previous period, and that of
    /// the next one, whose tickets a replica with a clock ahead of ours issues.
    package func ring(ofPeriod periodIndex: Int64) -> [Key] {
        [periodIndex, periodIndex - 1, periodIndex + 1].filter { $0 >= 0 }.map(key(ofPeriod:))
    }

    private static func bytes(_ number: Int64) -> [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: number >> (56 - 8 * Int64($0))) }
    }
}
