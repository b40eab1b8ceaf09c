package import NIOCore
import NIOPosix
import Synchronization

/// A server that sends the responses a test defines, including ones that a real Redis never sends. It listens on a free
/// port of the loopback interface, on a dedicated thread.
package final class HostileStore: Sendable {
    package enum Response: Sendable {
        case nothing
        case bytes(String)
        /// One byte at a time.
        case drip(String, gap: TimeAmount)
        /// The same text again and again, as fast as the client accepts it.
        case flood(String)
        case bytesAndClose(String)
        /// The response of a real Redis to the commands of a handshake, to SUBSCRIBE, to probes and to a heartbeat.
        /// A heartbeat is published to all subscribers.
        case honest
    }

    /// The response to a command on a connection; connections are counted from 1.
    package typealias Script = @Sendable (_ command: [String], _ connection: Int) -> Response

    private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    private let listener: any Channel
    private let accepted: Accepted
    private let connected: NIOLoopBound<Connected>

    package init(_ script: @escaping Script) async throws {
        let accepted = Accepted()
        let loop = group.next()
        let connected = try await loop.submit { NIOLoopBound(Connected(), eventLoop: loop) }.get()
        listener = try await ServerBootstrap(group: group)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let handler = HostileHandler(script: script, connection: accepted.add(), among: connected.value)
                    try channel.pipeline.syncOperations.addHandler(handler)
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        self.accepted = accepted
        self.connected = connected
    }

    package var port: Int { listener.localAddress?.port ?? 0 }

    /// The number of connections accepted so far.
    package var connections: Int { accepted.count }

    /// Sends bytes to all subscribers without a request.
    package func push(_ text: String) async throws {
        let connected = connected
        try await listener.eventLoop.submit { connected.value.send(text) { $0.isSubscribed } }.get()
    }

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

/// The open connections, all on one event loop.
private final class Connected {
    private var handlers: [ObjectIdentifier: HostileHandler] = [:]

    func add(_ handler: HostileHandler) { handlers[ObjectIdentifier(handler)] = handler }
    func remove(_ handler: HostileHandler) { handlers[ObjectIdentifier(handler)] = nil }

    func send(_ text: String, to isMeant: (HostileHandler) -> Bool) {
        for handler in handlers.values where isMeant(handler) { handler.write(text) }
    }
}

private final class HostileHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let script: HostileStore.Script
    private let connection: Int
    private let others: Connected
    private var context: ChannelHandlerContext?
    /// The number of channels.
    private var subscriptions = 0
    var isSubscribed: Bool { subscriptions > 0 }
    private var received = ByteBuffer()
    /// Responses that wait until the previous one has been sent.
    private var waiting: [HostileStore.Response] = []
    private var isSending = false

    init(script: @escaping HostileStore.Script, connection: Int, among others: Connected) {
        self.script = script
        self.connection = connection
        self.others = others
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        others.add(self)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        others.remove(self)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        received.writeImmutableBuffer(unwrapInboundIn(data))
        while let command = nextCommand() {
            let response = script(command, connection)
            if case .honest = response {
                waiting.append(.bytes(honest(command)))
            } else {
                waiting.append(response)
            }
        }
        respond(context)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    /// Consumes one complete array of bulk strings from the received bytes.
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

    private static let runID = String(repeating: "a1", count: 20)
    private static let info = """
        redis_version:7.0.15
        run_id:\(runID)
        role:master
        master_replid:\(runID)

        """

    private func honest(_ command: [String]) -> String {
        switch command.first {
        case "INFO": return Self.bulk(Self.info)
        case "PING": return "+PONG\r\n"
        case "AUTH", "SELECT", "SET": return "+OK\r\n"
        case "SUBSCRIBE":
            return command.dropFirst().map {
                subscriptions += 1
                return "*3\r\n\(Self.bulk("subscribe"))\(Self.bulk($0)):\(subscriptions)\r\n"
            }.joined()
        case "EVALSHA" where command.count == 8 && command[3].contains(":hb:"):
            let echo = "\(command[5]) \(command[6]) \(String(repeating: "e", count: 16))"
            let message = ["message", command[3], echo].map(Self.bulk).joined()
            others.send("*3\r\n\(message)") { $0.isSubscribed }
            return "$-1\r\n"
        default: return "-ERR this command is the script's\r\n"
        }
    }

    private static func bulk(_ text: String) -> String { "$\(text.utf8.count)\r\n\(text)\r\n" }

    func write(_ text: String) {
        context?.writeAndFlush(NIOAny(ByteBuffer(string: text)), promise: nil)
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
        let loop = context.eventLoop
        // In another turn: a write may be over at once, and the stack ends.
        context.writeAndFlush(NIOAny(bytes)).assumeIsolated().whenSuccess {
            loop.assumeIsolated().execute { self.flood(bytes, bound.value) }
        }
    }
}
