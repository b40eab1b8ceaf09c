import Affinity
import NIOCore

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
    let loop: LoopContext
    /// A connection attempt failed, and none has succeeded since.
    private var isSuspected = false
    private var idle: [HTTP1BackendConnection] = []
    var http2: HTTP2Connections
    var attempts = ConnectAttempts()
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
        http2 = HTTP2Connections(areSpoken: backend.isHTTP2)
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
        while idle.count + http2.idleCount > limits.pool.idleConnections, let connection = http2.firstIdle {
            connection.leave()
        }
    }

    var eventLoop: any EventLoop { loop.eventLoop }

    func retire() {
        isRetired = true
        closeIdle()
        for connection in http2.all { connection.leave() }
    }

    // MARK: Places

    /// A place on an existing connection; nil if a new connection is needed. The most recently used idle connection is
    /// taken, so that the others can time out, or the HTTP/2 connection with the fewest streams.
    ///
    /// - Parameter mayBecomeTunnel: the request offers a switch of protocols, which HTTP/1.1 has.
    func place(mayBecomeTunnel: Bool = false) -> Upstream? {
        if !http2.isEmpty, !needsHTTP1(mayBecomeTunnel), let connection = http2.leastLoaded {
            return .http2(connection.place())
        }
        while let connection = idle.popLast() {
            connection.poolIndex = -1
            if connection.isUsable { return .http1(connection) }
        }
        return nil
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

    func connected() {
        guard isSuspected || state.causes.contains(.unreachable) else { return }
        isSuspected = false
        loop.evidence?.report(.reachable, state)
    }

    // MARK: Idle connections

    func giveBack(_ connection: HTTP1BackendConnection) {
        guard idle.count + http2.idleCount < limits.pool.idleConnections, !loop.isStopping, !isRetired else {
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
        while let connection = http2.firstIdle { connection.leave() }
    }
}

extension BackendPool: HTTP2ConnectionKeeper {
    var idleTimeout: TimeAmount? { limits.pool.idleTimeout }

    var pings: PingLimits? { limits.pool.pings }

    func becameIdle(_ connection: HTTP2BackendConnection) {
        let isKept = idle.count + http2.idleCount <= limits.pool.idleConnections
        if !isKept || loop.isStopping || isRetired { connection.leave() }
    }

    func left(_ connection: HTTP2BackendConnection) { http2.remove(connection) }
}

@available(*, unavailable)
extension BackendPool: Sendable {}
