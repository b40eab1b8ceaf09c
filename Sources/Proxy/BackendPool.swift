import Affinity
import NIOCore
import NIOPosix

/// One backend as one event loop knows it: its connections, and whether they succeed. It is the same object for as long
/// as its service has the backend at its address, whatever else is configured anew.
final class BackendPool {
    let backend: Backend
    let hash: BackendHash
    /// What this loop's own connections and probes say.
    var reachability = BackendHealth()
    /// Requests of this loop that are on their way to the backend, or at it.
    var inFlight = 0
    private let worker: Worker
    private var idle: [BackendHandler] = []
    /// No longer of the configuration: its connections end with their exchanges.
    private var isRetired = false

    init(backend: Backend, hash: BackendHash, worker: Worker) {
        self.backend = backend
        self.hash = hash
        self.worker = worker
    }

    func retire() {
        isRetired = true
        closeIdle()
    }

    /// The connection used last: the others may grow old and go.
    func takeIdle() -> BackendHandler? {
        while let connection = idle.popLast() {
            connection.poolIndex = -1
            if connection.isUsable { return connection }
        }
        return nil
    }

    func giveBack(_ connection: BackendHandler) {
        guard idle.count < worker.limits.idleBackendConnections, !worker.isStopping, !isRetired else {
            return connection.close()
        }
        connection.poolIndex = idle.count
        idle.append(connection)
    }

    func idleConnectionClosed(_ connection: BackendHandler) {
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

    /// Connects for an exchange, and tells it how that went, in a later turn of the loop.
    func connect(for exchange: Exchange) {
        let bound = NIOLoopBound((pool: self, exchange: exchange), eventLoop: worker.loop)
        let attempt = exchange.attempt
        open().whenComplete { result in
            switch result {
            case .success(let connection):
                bound.value.exchange.connected(connection.value, attempt: attempt)
            case .failure:
                bound.value.pool.worker.counters.backendConnectFailures &+= 1
                bound.value.exchange.connectFailed(attempt: attempt)
            }
        }
    }

    private func open() -> EventLoopFuture<NIOLoopBound<BackendHandler>> {
        let handler = NIOLoopBound(BackendHandler(worker: worker, pool: self), eventLoop: worker.loop)
        let allocator = LoopReceiveAllocator(worker.receiveBuffers, loop: worker.loop)
        let bootstrap = ClientBootstrap(group: worker.loop)
            .connectTimeout(worker.limits.connectTimeout)
            .channelOption(.maxMessagesPerRead, value: 1)
            .channelOption(.recvAllocator, value: allocator)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(handler.value)
                }
            }
        return connect(bootstrap).map { _ in handler }
    }

    private func connect(_ bootstrap: ClientBootstrap) -> EventLoopFuture<any Channel> {
        // An address needs no resolver, and so no other thread.
        if let address = try? SocketAddress(ipAddress: backend.host, port: backend.port) {
            return bootstrap.connect(to: address)
        }
        return bootstrap.connect(host: backend.host, port: backend.port)
    }
}

@available(*, unavailable)
extension BackendPool: Sendable {}
