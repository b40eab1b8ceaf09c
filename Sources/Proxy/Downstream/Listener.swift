package import NIOCore
package import NIOPosix

/// How an entry point accepts connections: one socket, whose connections are assigned to the event loops in turn. Each
/// connection stays on its loop, with everything it needs.
package enum Listener {
    /// The connections that may wait in the kernel until they are accepted. It drops others, whose clients try again
    /// after a second.
    package static let backlog: Int32 = 4096

    /// Returns a bootstrap that gives each connection to the worker of its loop.
    ///
    /// - Parameters:
    ///   - workers: one for each loop of the group.
    ///   - gate: counts the client connections of the replica.
    package static func bootstrap(
        entryPoint: EntryPoint, group: any EventLoopGroup, workers: WorkerDirectory, gate: ConnectionLimit
    ) -> ServerBootstrap {
        KeepAlive.set(on: ServerBootstrap(group: group))
            .serverChannelOption(.backlog, value: backlog)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            // NIO's default of 4 per tick delays bursts of connections.
            .serverChannelOption(.maxMessagesPerRead, value: 256)
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(AcceptHandler(gate: gate))
                }
            }
            // The connection's handler asks for each read.
            .childChannelOption(.autoRead, value: false)
            .childChannelOption(.maxMessagesPerRead, value: 1)
            // A client may close its side after its request and still expect the response (RFC 9112, section 9.6).
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try workers.worker(of: channel.eventLoop).adopt(channel, entryPoint: entryPoint)
                }
            }
    }
}

/// The worker of each event loop.
package struct WorkerDirectory: Sendable {
    private let workers: [ObjectIdentifier: NIOLoopBound<Worker>]

    package init(_ workers: [NIOLoopBound<Worker>]) {
        var byLoop: [ObjectIdentifier: NIOLoopBound<Worker>] = [:]
        for worker in workers { byLoop[ObjectIdentifier(worker.eventLoop)] = worker }
        self.workers = byLoop
    }

    /// Thrown if a connection is assigned to a loop without a worker.
    struct NoWorker: Error {}

    func worker(of loop: any EventLoop) throws -> Worker {
        guard let worker = workers[ObjectIdentifier(loop)] else { throw NoWorker() }
        return worker.value
    }
}

extension Worker {
    /// Sets up a new client connection of this loop.
    func adopt(_ channel: any Channel, entryPoint: EntryPoint) throws {
        try channel.syncOptions?.setOption(
            .recvAllocator, value: LoopReceiveAllocator(loop.receiveBuffers))
        let servesTLS = entryPoint.needsTLS || table.snapshot.tls?.serves(entryPoint.index) == true
        let handler: any ChannelHandler =
            servesTLS
            ? ConnectionOpening(worker: self, entryPoint: entryPoint)
            : HTTP1ClientConnection(worker: self, entryPoint: entryPoint)
        try channel.pipeline.syncOperations.addHandler(handler)
    }
}
