import NIOCore
import NIOHTTP1

/// Answers the requests of one connection to a demonstration backend.
final class WhoamiHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let name: String
    private let visits: VisitCounter
    private let requests: RequestsInFlight
    /// Whether this connection's request is counted.
    private var isCounted = false
    private var head: HTTPRequestHead?
    private var bodyByteCount = 0

    init(name: String, visits: VisitCounter, requests: RequestsInFlight) {
        self.name = name
        self.visits = visits
        self.requests = requests
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            self.head = head
            bodyByteCount = 0
            count(head)
            if head.headers[canonicalForm: "expect"].contains(where: { $0.lowercased() == "100-continue" }) {
                let proceed = HTTPResponseHead(version: .http1_1, status: .continue)
                context.writeAndFlush(wrapOutboundOut(.head(proceed)), promise: nil)
            }
        case .body(let part):
            bodyByteCount &+= part.readableBytes
        case .end:
            guard let head = head.take() else { return }
            answer(head, context)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        requestEnded()
        context.fireChannelInactive()
    }

    /// A request for the number of requests under way does not count itself.
    private func count(_ head: HTTPRequestHead) {
        guard (try? WhoamiRequest.read(head.uri)) != .inFlight else { return }
        requests.began()
        isCounted = true
    }

    private func requestEnded() {
        if isCounted { requests.ended() }
        isCounted = false
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    private func answer(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
        do throws(WhoamiRequest.Refusal) {
            switch try WhoamiRequest.read(head.uri) {
            case .introduce:
                introduce(head, bodyByteCount: bodyByteCount, context)
            case .health:
                send("OK\n", to: head, context)
            case .inFlight:
                send("\(requests.count)\n", to: head, context)
            case .slow(let milliseconds):
                later(milliseconds, context) { [bodyByteCount] handler, context in
                    handler.introduce(head, bodyByteCount: bodyByteCount, context)
                }
            case .bytes(let count):
                sendHead(to: head, length: count, context)
                sendBody(
                    Filling(left: head.method == .HEAD ? 0 : count, chunk: 65536, gapMilliseconds: 0), to: head, context
                )
            case .stream(let byteCount, let chunk, let gap):
                sendHead(to: head, length: nil, context)
                sendBody(
                    Filling(left: head.method == .HEAD ? 0 : byteCount, chunk: chunk, gapMilliseconds: gap), to: head,
                    context)
            }
        } catch {
            send(error.message + "\n", to: head, status: .badRequest, context)
        }
    }

    private func introduce(_ head: HTTPRequestHead, bodyByteCount: Int, _ context: ChannelHandlerContext) {
        let introduction = WhoamiDescription(
            backend: name, visits: visits.visit(head), head: head, bodyByteCount: bodyByteCount)
        let wantsJSON = head.headers[canonicalForm: "accept"].contains("application/json")
        if wantsJSON {
            send(introduction.json, to: head, type: "application/json", context)
        } else {
            send(introduction.text, to: head, context)
        }
    }

    private func send(
        _ text: String, to head: HTTPRequestHead, status: HTTPResponseStatus = .ok, type: String = "text/plain",
        _ context: ChannelHandlerContext
    ) {
        sendHead(to: head, status: status, type: type, length: text.utf8.count, context)
        if head.method != .HEAD {
            context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: text)))), promise: nil)
        }
        finish(head, context)
    }

    /// - Parameter length: nil: the body is chunked; to an HTTP/1.0 client, it ends when the connection closes.
    private func sendHead(
        to head: HTTPRequestHead, status: HTTPResponseStatus = .ok, type: String = "application/octet-stream",
        length: Int?, _ context: ChannelHandlerContext
    ) {
        var fields = HTTPHeaders([("Content-Type", type), ("X-Backend", name)])
        if let length { fields.add(name: "Content-Length", value: String(length)) }
        if !staysOpen(after: head) { fields.add(name: "Connection", value: "close") }
        let response = HTTPResponseHead(version: head.version, status: status, headers: fields)
        context.write(wrapOutboundOut(.head(response)), promise: nil)
    }

    /// An HTTP/1.0 client recognises the end of a stream only by the connection's end.
    private func staysOpen(after head: HTTPRequestHead) -> Bool {
        head.isKeepAlive && head.version == .http1_1
    }

    /// The rest of a meaningless body that is still to be sent.
    private struct Filling {
        var left: Int
        let chunk: Int
        let gapMilliseconds: Int
    }

    /// Sends one chunk, and the next after the socket has taken it, so memory stays bounded whatever the client does.
    private func sendBody(_ filling: Filling, to head: HTTPRequestHead, _ context: ChannelHandlerContext) {
        guard filling.left > 0 else { return finish(head, context) }
        let count = min(filling.left, filling.chunk)
        let rest = Filling(left: filling.left - count, chunk: filling.chunk, gapMilliseconds: filling.gapMilliseconds)
        let bytes = ByteBuffer(repeating: UInt8(ascii: "."), count: count)
        context.writeAndFlush(wrapOutboundOut(.body(.byteBuffer(bytes)))).assumeIsolated().whenSuccess { [self] in
            later(rest.left > 0 ? rest.gapMilliseconds : 0, context) { $0.sendBody(rest, to: head, $1) }
        }
    }

    private func finish(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
        requestEnded()
        let sent = context.writeAndFlush(wrapOutboundOut(.end(nil))).assumeIsolated()
        if !staysOpen(after: head) { sent.whenComplete { _ in context.close(promise: nil) } }
    }

    /// Continues after this number of milliseconds if the connection is still open.
    private func later(
        _ milliseconds: Int, _ context: ChannelHandlerContext,
        _ proceed: @escaping (WhoamiHandler, ChannelHandlerContext) -> Void
    ) {
        guard milliseconds > 0 else { return proceed(self, context) }
        context.eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(Int64(milliseconds))) { [self] in
            if context.channel.isActive { proceed(self, context) }
        }
    }
}
