import Routing
import Synchronization

/// Bounds the unfinished TLS handshakes of one source: a handshake costs the server far more than its client. Shared by
/// all event loops. It holds one entry for each source with an unfinished handshake.
package final class HandshakeLimit: Sendable {
    /// That of the process.
    package static let shared = HandshakeLimit()

    private let counts = Mutex<[[UInt8]: Int]>([:])

    package init() {}

    /// A handshake begins. Returns false if the source has `limit` unfinished ones; then nothing is counted.
    func begin(_ source: [UInt8], limit: Int) -> Bool {
        counts.withLock { counts in
            let count = counts[source, default: 0]
            guard count < limit else { return false }
            counts[source] = count + 1
            return true
        }
    }

    /// A handshake that was counted is over.
    func end(_ source: [UInt8]) {
        counts.withLock { counts in
            guard let count = counts[source] else { return }
            counts[source] = count > 1 ? count - 1 : nil
        }
    }

    var sourceCount: Int { counts.withLock { $0.count } }
}

extension AddressRange.Bits {
    /// The address as a source of handshakes: for IPv6 its first 64 bits, which one subscriber has.
    var handshakeSource: [UInt8] { bytes.count == 16 ? Array(bytes.prefix(8)) : Array(bytes) }
}
