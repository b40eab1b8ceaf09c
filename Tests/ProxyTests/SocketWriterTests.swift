import LimpetTestKit
import NIOCore
import NIOPosix
import Synchronization
import Testing

@testable import Proxy

#if canImport(Glibc)
import Glibc
#endif

@Suite("What a connection writes to its socket")
struct SocketWriterTests {
    /// A connection with nothing but its writer.
    private final class Connection: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer

        let writer = SocketWriter()
        private let isDirect: Bool
        private let closed: (Connection, ChannelHandlerContext) -> Void
        private var context: ChannelHandlerContext?

        /// - Parameter closed: called at the first event after the channel has closed its socket.
        init(isDirect: Bool, closed: @escaping (Connection, ChannelHandlerContext) -> Void) {
            self.isDirect = isDirect
            self.closed = closed
        }

        func handlerAdded(context: ChannelHandlerContext) {
            self.context = context
            if isDirect { writer.useSocket(of: context) }
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) { writer.close(context) }

        func channelInactive(context: ChannelHandlerContext) {
            writer.forget()
            closed(self, context)
        }

        /// Calls `body` on the loop.
        static func use(
            _ channel: any Channel, _ body: @escaping @Sendable (Connection, ChannelHandlerContext) throws -> Void
        ) async throws {
            try await channel.eventLoop.submit {
                let connection = try channel.pipeline.syncOperations.handler(type: Connection.self)
                if let context = connection.context { try body(connection, context) }
            }.get()
        }
    }

    /// Calls `body` with a connection to a port.
    private static func withConnection(
        to port: Int, isDirect: Bool,
        closed: @escaping @Sendable (Connection, ChannelHandlerContext) -> Void = { _, _ in },
        _ body: (any Channel) async throws -> Void
    ) async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let channel = try await ClientBootstrap(group: group).channelInitializer { channel in
            channel.eventLoop.makeCompletedFuture {
                // The descriptor is there before the connection.
                try channel.pipeline.syncOperations.addHandler(Connection(isDirect: isDirect, closed: closed))
            }
        }.connect(host: "127.0.0.1", port: port).get()
        try await body(channel)
        try? await channel.close()
        try await group.shutdownGracefully()
    }

    private static func descriptor(_ context: ChannelHandlerContext) throws -> CInt {
        let descriptor = try context.pipeline.syncOperations.withUnsafeTransportIfAvailable(
            of: NIOBSDSocket.Handle.self
        ) { $0 }
        return try #require(descriptor)
    }

    private static func bytes(_ count: Int, from first: Int) -> [UInt8] {
        (first..<first + count).map { UInt8(truncatingIfNeeded: $0 &* 7 ^ $0 >> 8) }
    }

    @Test("a peer that reads late gets every byte, once and in order", arguments: [true, false])
    func order(isDirect: Bool) async throws {
        let isWritten = ScriptedBackend.Flag()
        let isOver = ScriptedBackend.Flag()
        let received = Mutex<[UInt8]>([])
        let pieces = (0..<90).map { $0 % 3 == 0 ? 300_000 : $0 * 17 + 1 }
        let peer = try ScriptedBackend { connection, _ in
            _ = isWritten.isSet(within: 10)
            while received.withLock({ $0.count }) < pieces.reduce(0, +) {
                let piece = try connection.receive()
                if piece.isEmpty { return }
                received.withLock { $0 += piece }
            }
            _ = isOver.isSet(within: 10)
        }
        defer { peer.close() }
        try await Self.withConnection(to: peer.port, isDirect: isDirect) { channel in
            try await Connection.use(channel) { connection, context in
                #expect(connection.writer.sendsToSocket == isDirect)
                var sent = 0
                for (index, count) in pieces.enumerated() {
                    let piece = ByteBuffer(bytes: Self.bytes(count, from: sent))
                    sent += count
                    if index % 4 == 1 {
                        connection.writer.enqueue(piece, context)
                    } else {
                        connection.writer.send(piece, context)
                    }
                }
                connection.writer.flush(context)
                // The socket has not taken everything.
                #expect(!context.channel.isWritable && !connection.writer.sendsToSocket)
            }
            isWritten.set()
            try await #expect(eventually { received.withLock { $0.count } == pieces.reduce(0, +) })
            try await Connection.use(channel) { connection, _ in
                #expect(connection.writer.sendsToSocket == isDirect, "it does again")
            }
            isOver.set()
            try await channel.closeFuture.get()
        }
        #expect(received.withLock { $0 } == Self.bytes(pieces.reduce(0, +), from: 0))
    }

    /// How a connection comes to its end.
    enum End: CaseIterable {
        case closes, isClosed, isReset, isResetWithUnfinishedWrites
        /// The channel closes without any error, and its unfinished writes are the first to hear of it.
        case isEndedWithUnfinishedWrites

        var hasUnfinishedWrites: Bool { self == .isResetWithUnfinishedWrites || self == .isEndedWithUnfinishedWrites }
    }

    /// A connection of somebody else, which gets the number of a descriptor that was closed.
    private final class Stranger: Sendable {
        private let ends: (own: CInt, peer: CInt)
        private let state = Mutex((number: CInt(-1), times: 0))

        init() {
            var ends: [CInt] = [-1, -1]
            socketpair(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0, &ends)
            self.ends = (ends[0], ends[1])
        }

        deinit {
            Glibc.close(ends.own)
            Glibc.close(ends.peer)
        }

        /// The descriptor whose number the stranger is to get.
        func wants(_ number: CInt) { state.withLock { $0.number = number } }

        /// How often it had that number while something was written.
        var times: Int { state.withLock { $0.times } }

        /// Calls `body` while this connection has the number, unless something else got it first.
        func haveNumber(while body: () -> Void) {
            let number = state.withLock { $0.number }
            let descriptor = fcntl(ends.own, F_DUPFD_CLOEXEC, number)
            if descriptor == number {
                state.withLock { $0.times += 1 }
                body()
            }
            Glibc.close(descriptor)
        }

        /// What was written to it.
        var received: [UInt8] {
            var storage = [UInt8](repeating: 0, count: 1024)
            let count = recv(ends.peer, &storage, storage.count, CInt(MSG_DONTWAIT))
            return Array(storage[..<max(0, count)])
        }
    }

    @Test("a number that is another connection's by now is not written to", arguments: End.allCases)
    func reusedNumber(end: End) async throws {
        let stranger = Stranger()
        let isReady = Mutex(ScriptedBackend.Flag())
        let isClosed = Mutex(ScriptedBackend.Flag())
        let peer = try ScriptedBackend { connection, _ in
            _ = isReady.withLock { $0 }.isSet(within: 10)
            switch end {
            case .closes, .isClosed: break
            case .isReset, .isResetWithUnfinishedWrites: connection.reset()
            case .isEndedWithUnfinishedWrites:
                connection.closeOutput()
                _ = isClosed.withLock { $0 }.isSet(within: 10)
            }
        }
        defer { peer.close() }
        // Another test may get the number first.
        for _ in 0..<50 where stranger.times == 0 {
            isReady.withLock { $0 = ScriptedBackend.Flag() }
            isClosed.withLock { $0 = ScriptedBackend.Flag() }
            try await Self.withConnection(
                to: peer.port, isDirect: true,
                closed: { connection, context in
                    stranger.haveNumber { connection.writer.send(ByteBuffer(string: "secret"), context) }
                }
            ) { channel in
                try await Connection.use(channel) { connection, context in
                    stranger.wants(try Self.descriptor(context))
                    if end.hasUnfinishedWrites { Self.leaveUnfinished(connection, context, stranger) }
                    if end == .closes { connection.writer.close(context) }
                }
                isReady.withLock { $0 }.set()
                try? await channel.closeFuture.get()
                isClosed.withLock { $0 }.set()
            }
        }
        #expect(stranger.times > 0)
        #expect(stranger.received == [])
    }

    /// Writes more than the socket takes, between two writes whose failures somebody uses to write more.
    private static func leaveUnfinished(
        _ connection: Connection, _ context: ChannelHandlerContext, _ stranger: Stranger
    ) {
        let large = ByteBuffer(repeating: 1, count: 8 << 20)
        for _ in 0..<2 {
            connection.writer.send(large, context)
            let promise = context.eventLoop.makePromise(of: Void.self)
            promise.futureResult.assumeIsolated().whenComplete { _ in
                stranger.haveNumber { connection.writer.send(ByteBuffer(string: "secret"), context) }
            }
            context.writeAndFlush(NIOAny(large), promise: promise)
        }
        #expect(!context.channel.isWritable)
    }

    @Test("a closed connection that is written to stays closed, and nothing else happens", arguments: [true, false])
    func closed(isDirect: Bool) async throws {
        let peer = try ScriptedBackend { connection, _ in
            _ = try connection.receiveAll()
        }
        defer { peer.close() }
        try await Self.withConnection(to: peer.port, isDirect: isDirect) { channel in
            try await Connection.use(channel) { connection, context in
                connection.writer.close(context)
                connection.writer.send(ByteBuffer(string: "late"), context)
                connection.writer.enqueue(ByteBuffer(string: "later"), context)
                connection.writer.flush(context)
            }
            try await channel.closeFuture.get()
        }
    }

    @Test("clients that reset in the middle of a response: the next one gets its own, whole", arguments: [true, false])
    func resets(isDirect: Bool) async throws {
        let backend = try ScriptedBackend { connection, _ in
            while true {
                let head = try connection.receive(until: "\r\n\r\n")
                let letter = try #require(head.dropFirst("GET /".count).first?.asciiValue)
                let body = [UInt8](repeating: letter, count: 40_000)
                try connection.send("HTTP/1.1 200 OK\r\nContent-Length: \(8 * body.count)\r\n\r\n")
                for _ in 0..<8 { try connection.send(body) }
            }
        }
        defer { backend.close() }
        var options = ProxyHarness.Options()
        options.sendsDirectly = isDirect
        try await withProxy(to: [backend.port], options) { proxy in
            for round in 0..<60 {
                let gone = try proxy.connect()
                try gone.send("GET /a HTTP/1.1\r\nHost: h\r\n\r\n")
                if round % 2 == 0 { _ = try gone.receive(upTo: 1 + round * 100) }
                gone.reset()
                let next = try proxy.connect()
                try next.send("GET /b HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
                _ = try next.receive(until: "\r\n\r\n")
                let body = try next.receiveAll()
                #expect(body.count == 320_000 && body.allSatisfy { $0 == UInt8(ascii: "b") })
            }
        }
    }
}
