import Affinity
import NIOCore
import NIOPosix
import Networking

/// One backend on one event loop: its connections, and what they reveal about its health. The object stays the same as
/// long as the service has the backend at its address, whatever else changes in the configuration.
final class BackendPool {
    let backend: Backend
    let hash: BackendHash
    /// What the replica knows about the backend's health.
    let state: BackendState
    /// The backend's index in its service's membership; nil once the service no longer has it at its address. Only the
    /// service writes it.
    var index: Int?
    /// Requests of this loop that are being sent to the backend or processed by it.
    var inFlight = 0
    /// Which failures of requests are reported; nil: none. Only the service writes it.
    var passiveHealthCheck: PassiveHealthCheck? {
        didSet { reportsFailures = passiveHealthCheck != nil }
    }
    /// Whether failures of requests are reported. Every request reads it; the settings would be expensive to copy.
    private(set) var reportsFailures = false
    /// Those of its service.
    private(set) var limits: ServiceLimits
    /// Requests of this loop that wait for the backend to get below its limit.
    var waiting = WaitQueue<any CapacityWaiter>()
    private let loop: LoopContext
    /// A connection attempt failed, and none has succeeded since.
    private var isSuspected = false
    private var idle: [HTTP1BackendConnection] = []
    /// Attempts that failed, and responses that did not arrive completely, by reason.
    private(set) var failures: [Reason: UInt64] = [:]
    /// The backend is no longer configured: its connections end with their exchanges.
    private var isRetired = false

    init(backend: Backend, hash: BackendHash, state: BackendState, limits: ServiceLimits, loop: LoopContext) {
        self.backend = backend
        self.hash = hash
        self.state = state
        self.limits = limits
        self.loop = loop
    }

    /// Idle connections over a lower limit close, those that have waited longest first.
    func adopt(_ limits: ServiceLimits) {
        let isRaised = limits.pool.maxRequests ?? .max > self.limits.pool.maxRequests ?? .max
        self.limits = limits
        if isRaised { state.capacity.reconfigured(limit: limits.pool.maxRequests ?? .max) }
        let surplus = idle.prefix(max(0, idle.count - limits.pool.idleConnections))
        idle.removeFirst(surplus.count)
        for (index, connection) in idle.enumerated() { connection.poolIndex = index }
        for connection in surplus {
            connection.poolIndex = -1
            connection.close()
        }
    }

    var eventLoop: any EventLoop { loop.eventLoop }

    func retire() {
        isRetired = true
        closeIdle()
    }

    // MARK: Places

    /// A place on an existing connection; nil if a new connection is needed. The most recently used idle connection is
    /// taken, so that the others can time out.
    func place() -> Upstream? {
        while let connection = idle.popLast() {
            connection.poolIndex = -1
            if connection.isUsable { return .http1(connection) }
        }
        return nil
    }

    /// Why no place could be had.
    struct ConnectFailure: Error {
        let cause: Cause
    }

    /// Opens a connection, and calls `taken` in a later turn of the loop with a place on it. A place that is no longer
    /// needed is returned by ``giveBack(_:)``.
    func connect(_ taken: @escaping (Result<Upstream, ConnectFailure>) -> Void) {
        let bound = NIOLoopBound((pool: self, taken: taken), eventLoop: loop.eventLoop)
        open().whenComplete { result in
            switch result {
            case .success(let connection):
                bound.value.pool.connected()
                bound.value.taken(.success(.http1(connection.value)))
            case .failure(let error):
                bound.value.pool.loop.counters.backendConnectFailures &+= 1
                bound.value.taken(.failure(ConnectFailure(cause: Cause(connecting: error))))
            }
        }
    }

    /// Returns a place over which nothing was sent.
    func giveBack(_ place: Upstream) {
        switch place {
        case .http1(let connection): connection.park()
        }
    }

    /// An attempt at the backend has failed, or its response.
    func failed(_ cause: Cause, service: String) {
        failures[cause.reason, default: 0] &+= 1
        loop.failureLog.failed(cause, service: service, backend: backend, now: loop.now())
    }

    // MARK: Health

    /// A connection attempt failed; another one follows.
    func suspect() {
        guard state.isUp, !isSuspected else { return }
        isSuspected = true
        loop.evidence?.report(.suspected, state)
    }

    /// Two connection attempts in a row failed: the backend is down for the whole replica, until a connection to it
    /// succeeds.
    func markUnreachable() {
        isSuspected = false
        // If another loop marked the backend before, that loop has reported it.
        if state.begin(.unreachable) { loop.evidence?.report(.unreachable, state) }
    }

    /// A response arrived to a request.
    func answered(status: Int) {
        guard let passiveHealthCheck, passiveHealthCheck.counts(status) else { return }
        report(.status(status))
    }

    /// A request that had been sent failed.
    func requestFailed(_ reason: FailingReason) {
        if reportsFailures { report(reason) }
    }

    /// While the backend is down, nobody needs to know.
    private func report(_ failure: FailingReason) {
        if state.isUp { loop.evidence?.report(.requestFailed(failure), state) }
    }

    private func connected() {
        guard isSuspected || state.causes.contains(.unreachable) else { return }
        isSuspected = false
        loop.evidence?.report(.reachable, state)
    }

    // MARK: Idle connections

    func giveBack(_ connection: HTTP1BackendConnection) {
        guard idle.count < limits.pool.idleConnections, !loop.isStopping, !isRetired else {
            return connection.close()
        }
        connection.poolIndex = idle.count
        idle.append(connection)
    }

    func idleConnectionClosed(_ connection: HTTP1BackendConnection) {
        let index = connection.poolIndex
        guard idle.indices.contains(index), idle[index] === connection else { return }
        idle.swapAt(index, idle.count - 1)
        idle[index].poolIndex = index
        idle.removeLast()
        connection.poolIndex = -1
    }

    func closeIdle() {
        let closing = idle
        idle = []
        for connection in closing { connection.close() }
    }

    // MARK: Connecting

    /// Longer than any kernel tries to connect.
    private static let kernelTimeout = TimeAmount.minutes(10)

    private func open() -> EventLoopFuture<NIOLoopBound<HTTP1BackendConnection>> {
        let handler = NIOLoopBound(HTTP1BackendConnection(loop: loop, pool: self), eventLoop: loop.eventLoop)
        let timeout = limits.pool.connectTimeout ?? Self.kernelTimeout
        return KeepAlive.set(on: .toBackend(on: loop, timeout: timeout))
            .connect(host: backend.host, port: backend.port, on: loop.eventLoop, by: loop.resolver)
            .securing(backend, on: loop, within: timeout)
            .flatMapThrowing { channel in
                try channel.pipeline.syncOperations.addHandler(handler.value)
                return handler
            }
    }
}

@available(*, unavailable)
extension BackendPool: Sendable {}
