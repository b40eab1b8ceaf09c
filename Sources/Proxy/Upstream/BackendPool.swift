import Affinity
import NIOCore
import NIOPosix
import Networking

/// One backend as one event loop knows it: its connections, and what they say of its health. It is the same object for
/// as long as its service has the backend at its address, whatever else is configured anew.
final class BackendPool {
    let backend: Backend
    let hash: BackendHash
    /// What the replica knows of its health.
    let state: BackendState
    /// Requests of this loop that are on their way to the backend, or at it.
    var inFlight = 0
    private let loop: LoopContext
    /// A connection could not be made, and none has been since.
    private var isSuspected = false
    private var idle: [HTTP1BackendConnection] = []
    /// No longer of the configuration: its connections end with their exchanges.
    private var isRetired = false

    init(backend: Backend, hash: BackendHash, state: BackendState, loop: LoopContext) {
        self.backend = backend
        self.hash = hash
        self.state = state
        self.loop = loop
    }

    func retire() {
        isRetired = true
        closeIdle()
    }

    // MARK: Places

    /// A place on a connection that is there; nil where a connection has to be made. Of idle connections the one used
    /// last is taken: the others may grow old and go.
    func place() -> Upstream? {
        while let connection = idle.popLast() {
            connection.poolIndex = -1
            if connection.isUsable { return .http1(connection) }
        }
        return nil
    }

    /// Makes a connection, and tells `taken` in a later turn of the loop: a place on it, or nil where none could be
    /// made. A place that is not wanted any more is given back by ``giveBack(_:)``.
    func connect(_ taken: @escaping (Upstream?) -> Void) {
        let bound = NIOLoopBound((pool: self, taken: taken), eventLoop: loop.eventLoop)
        open().whenComplete { result in
            switch result {
            case .success(let connection):
                bound.value.pool.connected()
                bound.value.taken(.http1(connection.value))
            case .failure:
                bound.value.pool.loop.counters.backendConnectFailures &+= 1
                bound.value.taken(nil)
            }
        }
    }

    /// A place that nothing was sent over.
    func giveBack(_ place: Upstream) {
        switch place {
        case .http1(let connection): connection.park()
        }
    }

    // MARK: Health

    /// A connection could not be made; it is tried once more.
    func suspect() {
        guard state.isUp, !isSuspected else { return }
        isSuspected = true
        loop.evidence?.report(.suspected, state)
    }

    /// Two connections in a row could not be made: the backend is down for the whole replica, until it is tried with
    /// success.
    func markUnreachable() {
        isSuspected = false
        // Whoever marked it before has reported it.
        if state.begin(.unreachable) { loop.evidence?.report(.unreachable, state) }
    }

    private func connected() {
        guard isSuspected || state.causes.contains(.unreachable) else { return }
        isSuspected = false
        loop.evidence?.report(.reachable, state)
    }

    // MARK: Idle connections

    func giveBack(_ connection: HTTP1BackendConnection) {
        guard idle.count < loop.limits.idleBackendConnections, !loop.isStopping, !isRetired else {
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

    private func open() -> EventLoopFuture<NIOLoopBound<HTTP1BackendConnection>> {
        let handler = NIOLoopBound(HTTP1BackendConnection(loop: loop, pool: self), eventLoop: loop.eventLoop)
        let allocator = LoopReceiveAllocator(loop.receiveBuffers, loop: loop.eventLoop)
        return ClientBootstrap(group: loop.eventLoop)
            .connectTimeout(loop.limits.connectTimeout)
            // Nothing is read before there is somebody to read it.
            .channelOption(.autoRead, value: false)
            .channelOption(.maxMessagesPerRead, value: 1)
            .channelOption(.recvAllocator, value: allocator)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .connect(host: backend.host, port: backend.port, on: loop.eventLoop, by: loop.resolver)
            .flatMapThrowing { channel in
                try channel.hand(to: handler.value)
                return handler
            }
    }
}

@available(*, unavailable)
extension BackendPool: Sendable {}
