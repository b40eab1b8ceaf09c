import NIOCore
import NIOPosix
import Synchronization

@testable import Store

/// A subscriber of one channel.
final class Listener: Sendable {
    private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    private let received = Mutex<[String]>([])

    init(_ port: Int, channel name: String) throws {
        let received = { @Sendable text in self.received.withLock { $0.append(text) } }
        let channel = try ClientBootstrap(group: group)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Handler(received: received))
                }
            }
            .connect(host: "127.0.0.1", port: port).wait()
        try channel.writeAndFlush(ByteBuffer(string: "SUBSCRIBE \(name)\r\n")).wait()
    }

    /// The payloads of all messages.
    var messages: [String] {
        received.withLock {
            $0.filter { $0.hasPrefix("message ") }.map { String($0.split(separator: " ", maxSplits: 2)[2]) }
        }
    }

    func subscribed() async throws {
        try await eventually { self.received.withLock { !$0.isEmpty } }
    }

    func stop() async throws {
        try await group.shutdownGracefully()
    }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer

        private let reader = RESPReader()
        private let received: @Sendable (String) -> Void

        init(received: @escaping @Sendable (String) -> Void) { self.received = received }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            _ = unwrapInboundIn(data).withUnsafeReadableBytes { reader?.feed($0) }
            reader?.drain { reply in
                guard case .array(let elements) = reply else { return true }
                let texts = elements.map { element in
                    if case .string(let text) = element { String(decoding: text, as: UTF8.self) } else { "" }
                }
                received(texts.joined(separator: " "))
                return true
            }
        }
    }
}
