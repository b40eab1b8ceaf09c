import NIOCore
import NIOHTTP1

/// Answers `/ping`, `/ready` and `/metrics` on one connection of the admin listener.
final class AdminHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    /// Gathering the numbers may take so long; then it is given up.
    static let metricsTimeout = TimeAmount.seconds(5)

    private let page: AdminPage
    private var head: HTTPRequestHead?

    init(page: AdminPage) {
        self.page = page
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): self.head = head
        case .body: break
        case .end:
            guard let head = head.take() else { return }
            answer(head, context)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    private func answer(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
        let path = head.uri.prefix { $0 != "?" }
        switch page.answer(isRead: [.GET, .HEAD].contains(head.method), path: path) {
        case .text(let status, let text): send(status, text, to: head, context)
        case .metrics: sendMetrics(to: head, context)
        }
    }

    private func sendMetrics(to head: HTTPRequestHead, _ context: ChannelHandlerContext) {
        let promise = context.eventLoop.makePromise(of: String.self)
        let timeout = context.eventLoop.scheduleTask(in: Self.metricsTimeout) { promise.fail(ChannelError.eof) }
        promise.completeWithTask { [page] in await page.metrics() }
        promise.futureResult.assumeIsolated().whenComplete { [self] result in
            timeout.cancel()
            guard context.channel.isActive else { return }
            switch result {
            case .success(let text):
                send(.ok, text, to: head, type: "text/plain; version=0.0.4; charset=utf-8", context)
            case .failure: send(.serviceUnavailable, "the numbers could not be gathered in time\n", to: head, context)
            }
        }
    }

    private func send(
        _ status: HTTPResponseStatus, _ text: String, to head: HTTPRequestHead, type: String = "text/plain",
        _ context: ChannelHandlerContext
    ) {
        let staysOpen = head.isKeepAlive && page.isServing
        var fields = HTTPHeaders([("Content-Type", type), ("Content-Length", String(text.utf8.count))])
        if status == .methodNotAllowed { fields.add(name: "Allow", value: "GET, HEAD") }
        if !staysOpen { fields.add(name: "Connection", value: "close") }
        let response = HTTPResponseHead(version: head.version, status: status, headers: fields)
        context.write(wrapOutboundOut(.head(response)), promise: nil)
        if head.method != .HEAD {
            context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: text)))), promise: nil)
        }
        let sent = context.writeAndFlush(wrapOutboundOut(.end(nil))).assumeIsolated()
        if !staysOpen { sent.whenComplete { _ in context.close(promise: nil) } }
    }
}
