/// Hashes the session keys of one service and source.
///
/// The kind of source and its configured name are part of the fingerprint: the value of a header is never the session
/// of an equal value in the query, nor of another header. Service, name and session key enter with their lengths, so
/// that no two inputs meet by concatenation.
package struct FingerprintScope: Sendable {
    private let prefix: SipHash

    package init(key: FingerprintKey, service: String, source: SessionSource) {
        var hash = SipHash(key)
        hash.absorb(prefixed: service.utf8)
        hash.absorb(source.tag)
        hash.absorb(prefixed: source.hashedName)
        prefix = hash
    }

    /// The fingerprint of a session key. Allocates nothing.
    package func fingerprint(of sessionKey: UnsafeRawBufferPointer) -> Fingerprint {
        var hash = prefix
        hash.absorb(UInt64(sessionKey.count))
        let (high, low) = hash.finish(sessionKey)
        return Fingerprint(high: high, low: low)
    }
}
