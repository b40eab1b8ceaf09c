package import NIOCore
import NIOPosix
import Synchronization

/// A server that answers what a test tells it to, for what no real Redis does. It listens on a free port of the
/// loopback, on a thread of its own.
package final class HostileStore: Sendable {
    package enum Response: Sendable {
        case nothing
        case bytes(String)
        /// One byte at a time.
        case drip(String, gap: TimeAmount)
        /// The same again and again, as fast as it is taken.
        case flood(String)
        case bytesAndClose(String)
        /// What a Redis says to the commands of a handshake and to PING.
        case honest
    }

    /// What to answer to a command on a connection; connections are counted from 1.
    package typealias Script = @Sendable (_ command: [String], _ connection: Int) -> Response

    private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    private let listener: any Channel
    private let accepted: Accepted

    package init(_ script: @escaping Script) async throws {
        let accepted = Accepted()
        listener = try await ServerBootstrap(group: group)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let handler = HostileHandler(script: script, connection: accepted.add())
                    try channel.pipeline.syncOperations.addHandler(handler)
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        self.accepted = accepted
    }

    package var port: Int { listener.localAddress?.port ?? 0 }

    /// Connections taken so far.
    package var connections: Int { accepted.count }

    package func stop() async throws {
        try await group.shutdownGracefully()
    }
}

private final class Accepted: Sendable {
    private let number = Mutex(0)

    var count: Int { number.withLock { $0 } }

    func add() -> Int {
        number.withLock {
            $0 += 1
            return $0
        }
    }
}

private final class HostileHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let script: HostileStore.Script
    private let connection: Int
    private var received = ByteBuffer()
    /// Responses that wait until the one before has been sent.
    private var waiting: [HostileStore.Response] = []
    private var isSending = false

    init(script: @escaping HostileStore.Script, connection: Int) {
        self.script = script
        self.connection = connection
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        received.writeImmutableBuffer(unwrapInboundIn(data))
        while let command = nextCommand() {
            let response = script(command, connection)
            if case .honest = response {
                waiting.append(.bytes(Self.honest(command)))
            } else {
                waiting.append(response)
            }
        }
        respond(context)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    /// Takes one whole array of bulk strings off what was received.
    private func nextCommand() -> [String]? {
        var rest = received
        guard let count = length(after: UInt8(ascii: "*"), in: &rest) else { return nil }
        var command: [String] = []
        for _ in 0..<count {
            guard let size = length(after: UInt8(ascii: "$"), in: &rest), let text = rest.readString(length: size),
                rest.readBytes(length: 2) != nil
            else { return nil }
            command.append(text)
        }
        received = rest
        return command
    }

    private func length(after mark: UInt8, in buffer: inout ByteBuffer) -> Int? {
        let view = buffer.readableBytesView
        guard view.first == mark, let end = view.firstIndex(of: UInt8(ascii: "\n")) else { return nil }
        let length = Int(String(decoding: view[view.startIndex + 1..<end - 1], as: UTF8.self))
        buffer.moveReaderIndex(to: end + 1)
        return length
    }

    private func respond(_ context: ChannelHandlerContext) {
        while !isSending, !waiting.isEmpty { send(waiting.removeFirst(), context) }
    }

    private func send(_ response: HostileStore.Response, _ context: ChannelHandlerContext) {
        switch response {
        case .nothing, .honest: break
        case .bytes(let text): write(text, context)
        case .drip(let text, let gap):
            isSending = true
            drip(Array(text.utf8)[...], gap, context)
        case .flood(let text):
            isSending = true
            flood(ByteBuffer(string: text), context)
        case .bytesAndClose(let text):
            write(text, context)
            context.close(promise: nil)
        }
    }

    private static func honest(_ command: [String]) -> String {
        switch command.first {
        case "INFO": "$21\r\nredis_version:7.0.15\n\r\n"
        case "PING": "+PONG\r\n"
        case "AUTH", "SELECT": "+OK\r\n"
        default: "-ERR this command is the script's\r\n"
        }
    }

    private func write(_ text: String, _ context: ChannelHandlerContext) {
        context.writeAndFlush(NIOAny(ByteBuffer(string: text)), promise: nil)
    }

    private func drip(_ bytes: ArraySlice<UInt8>, _ gap: TimeAmount, _ context: ChannelHandlerContext) {
        guard context.channel.isActive else { return }
        guard let byte = bytes.first else {
            isSending = false
            return respond(context)
        }
        context.writeAndFlush(NIOAny(ByteBuffer(bytes: [byte])), promise: nil)
        let context = context.loopBound
        context.eventLoop.assumeIsolated().scheduleTask(in: gap) {
            self.drip(bytes.dropFirst(), gap, context.value)
        }
    }

    private func flood(_ bytes: ByteBuffer, _ context: ChannelHandlerContext) {
        let bound = context.loopBound
        context.writeAndFlush(NIOAny(bytes)).assumeIsolated().whenSuccess { self.flood(bytes, bound.value) }
    }
}
