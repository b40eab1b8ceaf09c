import NIOCore
import Routing
import Synchronization

/// The TLS of an admin listener: what serves it, and what becomes of its handshakes. They are bounded and counted apart
/// from those of entry points: a flood there leaves the operator a way in, and who asks for metrics changes none there.
package final class AdminTLS: Sendable {
    /// As at entry points.
    private static let limits = ProxyLimits()

    private let current: @Sendable () -> TLSServing?
    private let unfinished = HandshakeLimit()
    private let failed = Mutex<[HandshakeFailure: UInt64]>([:])

    /// - Parameter current: the TLS in use when a connection begins.
    package init(_ current: @escaping @Sendable () -> TLSServing?) {
        self.current = current
    }

    /// The handshakes that failed, by reason.
    package var failures: [HandshakeFailure: UInt64] { failed.withLock(\.self) }

    func select(_ serverName: String?) -> TLSServing.Selection {
        current()?.selectForAdmin(serverName, now: Int64(WallClock.seconds())) ?? .unusable
    }

    /// One handshake, from the connection's first byte to its end. Belongs to the connection's loop.
    final class Handshake {
        private let tls: AdminTLS
        private let channel: any Channel
        private var timer: Scheduled<Void>?
        /// What is counted as unfinished.
        private var source: [UInt8]?
        private var hasBegun = false
        private var isOver = false

        /// The time begins.
        init(_ tls: AdminTLS, on channel: any Channel) {
            (self.tls, self.channel) = (tls, channel)
            let bound = NIOLoopBound(self, eventLoop: channel.eventLoop)
            timer = channel.eventLoop.scheduleTask(in: limits.handshakeTimeout) {
                let handshake = bound.value
                handshake.end(handshake.hasBegun ? .timeout : nil)
                handshake.channel.close(promise: nil)
            }
        }

        /// The client has sent something.
        func begin() { hasBegun = true }

        /// Returns false if its source has too many unfinished ones.
        func admit() -> Bool {
            guard let bits = channel.remoteAddress.flatMap(ClientConnectionInfo.bits) else { return true }
            let source = bits.handshakeSource
            guard tls.unfinished.begin(source, limit: limits.handshakesPerSource) else { return false }
            self.source = source
            return true
        }

        /// - Parameter failure: nil: it is complete, or there was none.
        func end(_ failure: HandshakeFailure?) {
            guard !isOver else { return }
            isOver = true
            timer?.cancel()
            timer = nil
            if let source { tls.unfinished.end(source) }
            if let failure { tls.failed.withLock { $0[failure, default: 0] &+= 1 } }
        }

        /// The connection ended. Nothing is counted if the client had sent nothing.
        func closed() { end(hasBegun ? .closed : nil) }
    }
}

@available(*, unavailable)
extension AdminTLS.Handshake: Sendable {}
