package import NIOCore
package import NIOPosix

/// How an entry point accepts: one socket, whose connections are spread over the event loops in turn; each stays on its
/// loop with everything it needs.
package enum Listener {
    /// A bootstrap that hands each connection to the worker of its loop.
    ///
    /// - Parameters:
    ///   - workers: one for each loop of the group.
    ///   - gate: counts the client connections of the replica.
    package static func bootstrap(
        entryPoint: EntryPoint, group: any EventLoopGroup, workers: WorkerDirectory, gate: ConnectionLimit
    ) -> ServerBootstrap {
        ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 4096)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            // The default of 4 a tick makes a burst of connections wait.
            .serverChannelOption(.maxMessagesPerRead, value: 256)
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(AcceptHandler(gate: gate))
                }
            }
            .childChannelOption(.maxMessagesPerRead, value: 1)
            // A client may end its side after its request and still want the response (RFC 9112, section 9.6).
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

    /// What a connection meets that came to a loop without a worker.
    struct NoWorker: Error {}

    func worker(of loop: any EventLoop) throws -> Worker {
        guard let worker = workers[ObjectIdentifier(loop)] else { throw NoWorker() }
        return worker.value
    }
}

extension Worker {
    /// Makes a new client connection of this loop one of ours.
    func adopt(_ channel: any Channel, entryPoint: EntryPoint) throws {
        try channel.syncOptions?.setOption(
            .recvAllocator, value: LoopReceiveAllocator(loop.receiveBuffers, loop: loop.eventLoop))
        try channel.pipeline.syncOperations.addHandler(HTTP1ClientConnection(worker: self, entryPoint: entryPoint))
    }
}
