import NIOCore
import NIOPosix

/// A client on this machine: sends bytes, and takes what comes until the server closes.
enum Loopback {
    struct Failure: Error {}

    struct Response {
        let status: Int
        let head: String
        let body: String
    }

    /// - Parameter fields: further lines, without their ends.
    static func ask(
        _ port: Int, _ target: String, method: String = "GET", _ fields: [String] = [], body: String = ""
    ) async throws -> Response {
        var lines = ["\(method) \(target) HTTP/1.1", "Host: test", "Connection: close"] + fields
        if !body.isEmpty { lines.append("Content-Length: \(body.utf8.count)") }
        let text = try await exchange(port, lines.joined(separator: "\r\n") + "\r\n\r\n" + body)
        guard let end = text.firstRange(of: "\r\n\r\n"), let status = Int(text.dropFirst(9).prefix(3)) else {
            throw Failure()
        }
        return Response(
            status: status, head: String(text[..<end.lowerBound]), body: String(text[end.upperBound...]))
    }

    /// All that the server answers to these bytes until it closes, at most 10 seconds long.
    static func exchange(_ port: Int, _ bytes: String) async throws -> String {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let received = loop.makePromise(of: String.self)
        let channel = try await ClientBootstrap(group: loop)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Collector(received))
                }
            }
            .connect(host: "127.0.0.1", port: port).get()
        let timeout = loop.scheduleTask(in: .seconds(10)) { received.fail(Failure()) }
        try await channel.writeAndFlush(ByteBuffer(string: bytes))
        defer { timeout.cancel() }
        return try await received.futureResult.get()
    }

    private final class Collector: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer

        private let received: EventLoopPromise<String>
        private var bytes = ByteBuffer()

        init(_ received: EventLoopPromise<String>) {
            self.received = received
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            bytes.writeImmutableBuffer(unwrapInboundIn(data))
        }

        func channelInactive(context: ChannelHandlerContext) {
            received.succeed(String(buffer: bytes))
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            received.fail(error)
            context.close(promise: nil)
        }
    }
}
