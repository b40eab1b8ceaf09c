import NIOCore
import NIOPosix
import Synchronization

/// A TCP proxy in front of a Redis that applies network faults to its connections: delays, stalls, losses, resets,
/// refusals. It runs on a dedicated thread; every call blocks until it has taken effect.
///
/// A connection counts as `data` until its client subscribes.
package final class FaultProxy: Sendable {
    package enum Kind: Hashable, Sendable {
        case data, subscriber
    }

    package enum Direction: Sendable {
        case toServer, toClient, both
    }

    /// The fault applied to the bytes of a connection.
    package enum Fault: Equatable, Sendable {
        case none
        /// Each byte arrives later by this delay, in order.
        case delay(milliseconds: Int, Direction)
        /// No bytes are forwarded until the fault ends; then all of them are, in order. The proxy holds at most 1 MiB
        /// in each direction; the rest waits in the kernel's buffers.
        case stall
        /// All bytes are lost for the rest of the connection's life: no other fault replaces this one. Neither end
        /// notices that the other has gone.
        case halfOpen
    }

    /// The treatment of new connections.
    package enum Newcomers: Sendable {
        case welcome
        /// The port is closed: the kernel refuses connections, and they are not counted.
        case refused
        /// Accepted, counted and reset.
        case reset
        /// Accepted and never answered; the server does not see them.
        case blackholed
        /// Welcome, but reset when they subscribe.
        case subscribersReset
    }

    /// Connections by purpose.
    package enum Selection: Sendable {
        case all, subscribers, data
        /// The oldest open data connection.
        case oneData
    }

    package struct Accepted: Sendable {
        /// Counted from 1.
        package let number: Int
        package let time: ContinuousClock.Instant
        /// As known at present.
        package internal(set) var kind: Kind
    }

    package let port: Int
    private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    private let listener: FaultListener
    private let isStopped = Mutex(false)

    /// Listens, and forwards everything until a fault is set.
    ///
    /// - Parameters:
    ///   - port: a port of 127.0.0.1; any free port by default.
    ///   - target: the server's port on 127.0.0.1. If it is closed, each connection is closed.
    package init(port: Int? = nil, target: Int) throws {
        self.port = try port ?? LoopbackPort.free()
        listener = FaultListener(loop: group.next(), port: self.port, target: target)
        try listener.listen().wait()
    }

    deinit { stop() }

    /// Closes everything. The proxy cannot be used afterwards.
    package func stop() {
        let isFirst = isStopped.withLock { isStopped in
            defer { isStopped = true }
            return !isStopped
        }
        if isFirst { try? group.syncShutdownGracefully() }
    }

    /// Takes effect from now on, for existing connections and (unless `oneData`) new ones.
    package func set(_ fault: Fault, on selection: Selection = .all) throws {
        try onLoop { $0.set(fault, on: selection) }
    }

    package func reset(_ selection: Selection = .all) throws {
        try onLoop { $0.end(selection, withReset: true) }
    }

    package func close(_ selection: Selection = .all) throws {
        try onLoop { $0.end(selection, withReset: false) }
    }

    package func receive(_ newcomers: Newcomers) throws {
        try listener.loop.flatSubmit { [listener] in listener.receive(newcomers) }.wait()
    }

    /// Directs new connections to another port of 127.0.0.1, as when an address moves to another server.
    package func lead(to target: Int) throws {
        try onLoop { $0.target = target }
    }

    /// Ends all faults; half-open connections remain half-open.
    package func heal() throws {
        try set(.none)
        try receive(.welcome)
    }

    /// Every connection that was ever accepted, in order.
    package var accepted: [Accepted] {
        get throws { try onLoop { $0.accepted } }
    }

    /// The number of connections that are open at the client's side.
    package func openCount(_ selection: Selection = .all) throws -> Int {
        try onLoop { $0.links(selection).count }
    }

    /// The number of bytes held by the proxy, over all connections.
    package var heldByteCount: Int {
        get throws { try onLoop { $0.links(.all).map(\.heldByteCount).reduce(0, +) } }
    }

    /// The highest number of connections accepted within any one second since `begin`.
    package func busiestSecond(since begin: ContinuousClock.Instant) throws -> Int {
        let times = try accepted.map(\.time).filter { $0 >= begin }
        return times.map { time in times.count { $0 >= time && $0 < time + .seconds(1) } }.max() ?? 0
    }

    private func onLoop<Value: Sendable>(_ body: @escaping @Sendable (FaultListener) -> Value) throws -> Value {
        try listener.loop.submit { [listener] in body(listener) }.wait()
    }
}
