import NIOCore
import NIOPosix
import Synchronization

/// A TCP proxy in front of a Redis that does to its connections what networks do: delays, stalls, loses, resets,
/// refuses. It runs on a thread of its own; every call blocks until what it asks for has been done.
///
/// A connection counts as `data` until its client subscribes to something.
package final class FaultProxy: Sendable {
    package enum Kind: Hashable, Sendable {
        case data, subscriber
    }

    package enum Direction: Sendable {
        case toServer, toClient, both
    }

    /// What is done to the bytes of a connection.
    package enum Fault: Equatable, Sendable {
        case none
        /// Each byte comes so much later, in order.
        case delay(milliseconds: Int, Direction)
        /// Nothing comes through; all of it does, in order, when the fault ends. At most 1 MiB a direction is held
        /// here, the rest waits in the kernel's buffers.
        case stall
        /// All bytes vanish, for as long as the connection lasts: no other fault replaces this one. Neither end learns
        /// that the other has gone.
        case halfOpen
    }

    /// What becomes of new connections.
    package enum Newcomers: Sendable {
        case welcome
        /// Nobody listens: the kernel refuses them, and they are not counted.
        case refused
        /// Accepted, counted and reset.
        case reset
        /// Accepted and never answered; nobody behind the proxy hears of them.
        case blackholed
        /// Welcome, but reset as soon as they subscribe.
        case subscribersReset
    }

    /// Connections by what they are for.
    package enum Selection: Sendable {
        case all, subscribers, data
        /// The oldest data connection that is open.
        case oneData
    }

    package struct Accepted: Sendable {
        /// Counted from 1.
        package let number: Int
        package let time: ContinuousClock.Instant
        /// As known now.
        package internal(set) var kind: Kind
    }

    package let port: Int
    private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    private let listener: FaultListener
    private let isStopped = Mutex(false)

    /// Listens, and passes everything on until told otherwise.
    ///
    /// - Parameters:
    ///   - port: of 127.0.0.1; any that is free unless given.
    ///   - target: the port of 127.0.0.1 behind it. Nobody need listen there: each connection is then closed.
    package init(port: Int? = nil, target: Int) throws {
        self.port = try port ?? LoopbackPort.free()
        listener = FaultListener(loop: group.next(), port: self.port, target: target)
        try listener.listen().wait()
    }

    deinit { stop() }

    /// Closes everything. Nothing may be asked of it afterwards.
    package func stop() {
        let isFirst = isStopped.withLock { isStopped in
            defer { isStopped = true }
            return !isStopped
        }
        if isFirst { try? group.syncShutdownGracefully() }
    }

    /// From now on, for connections that exist and (unless `oneData`) those to come.
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

    /// Connections to come lead to another port of 127.0.0.1, as when an address passes to another server.
    package func lead(to target: Int) throws {
        try onLoop { $0.target = target }
    }

    /// No fault any more; what is half-open stays so.
    package func heal() throws {
        try set(.none)
        try receive(.welcome)
    }

    /// Every connection that was ever accepted, in order.
    package var accepted: [Accepted] {
        get throws { try onLoop { $0.accepted } }
    }

    /// The connections that are open at the client's side.
    package func openCount(_ selection: Selection = .all) throws -> Int {
        try onLoop { $0.links(selection).count }
    }

    /// The bytes that wait here, of all connections.
    package var heldByteCount: Int {
        get throws { try onLoop { $0.links(.all).map(\.heldByteCount).reduce(0, +) } }
    }

    /// The most connections that were accepted within any one second since a moment.
    package func busiestSecond(since begin: ContinuousClock.Instant) throws -> Int {
        let times = try accepted.map(\.time).filter { $0 >= begin }
        return times.map { time in times.count { $0 >= time && $0 < time + .seconds(1) } }.max() ?? 0
    }

    private func onLoop<Value: Sendable>(_ body: @escaping @Sendable (FaultListener) -> Value) throws -> Value {
        try listener.loop.submit { [listener] in body(listener) }.wait()
    }
}
