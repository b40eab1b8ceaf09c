import CLimpetTickets
import Crypto
import NIOSSL
import Synchronization
import TLS

/// The session tickets of one TLS context: sealed with the keys of the fleet, and with new ones when a period begins.
///
/// NIOSSL has no API for it. Its context is found in a stored property of `NIOSSLContext`, and the keys are set by
/// functions of the BoringSSL that NIOSSL carries (``CLimpetTickets``). Where the property is not found the context
/// works on with keys of its own: each process then resumes its own sessions alone.
final class SessionTickets: Sendable {
    private let keys: TicketKeys
    private let context: NIOSSLContext
    /// The period whose keys are set.
    private let period = Atomic<Int64>(-1)

    /// Nil if the keys cannot be set.
    ///
    /// - Parameter context: has not served yet.
    init?(_ context: NIOSSLContext, _ keys: TicketKeys, now seconds: Int64) {
        guard limpet_tickets_install(context.library) else { return nil }
        self.keys = keys
        self.context = context
        renew(now: seconds)
    }

    /// The context issues and accepts no tickets. Returns false if that cannot be set.
    static func switchOff(of context: NIOSSLContext) -> Bool { limpet_tickets_off(context.library) }

    /// Sets the keys of the current period, if others are set. May be called on any thread, for each connection.
    ///
    /// - Parameter seconds: since 1970.
    func renew(now seconds: Int64) {
        let current = TicketKeys.periodIndex(at: seconds)
        guard period.exchange(current, ordering: .acquiringAndReleasing) != current else { return }
        let ring = keys.ring(ofPeriod: current).map(limpet_ticket_key.init)
        _ = limpet_tickets_set(context.library, ring, ring.count)
    }
}

extension limpet_ticket_key {
    fileprivate init(_ key: TicketKeys.Key) {
        self.init()
        withUnsafeMutableBytes(of: &name) { $0.copyBytes(from: key.name) }
        withUnsafeMutableBytes(of: &cipher) { $0.copyBytes(from: key.cipher) }
        withUnsafeMutableBytes(of: &mac) { $0.copyBytes(from: key.mac) }
    }
}
