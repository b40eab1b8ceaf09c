import NIOCore
import NIOHTTP1

/// Answers `/ping`, `/ready`, `/metrics` and what is under `/api` on one connection of the admin listener.
final class AdminHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    /// The time limit for gathering a response; the request fails after it.
    static let gatheringTimeout = TimeAmount.seconds(5)

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
        switch page.request(isRead: [.GET, .HEAD].contains(head.method), uri: head.uri) {
        case .text(let status, let text): send(status, text, to: head, context)
        case .metrics: gather(for: head, context) { [page] in await page.metrics() }
        case .api(let path): gather(for: head, context) { [page] in try await page.answer(path) }
        }
    }

    /// Sends a response that is gathered elsewhere, once it is complete.
    private func gather(
        for head: HTTPRequestHead, _ context: ChannelHandlerContext,
        _ answer: @escaping @Sendable () async throws -> AdminPage.Answer
    ) {
        let promise = context.eventLoop.makePromise(of: AdminPage.Answer.self)
        let timeout = context.eventLoop.scheduleTask(in: Self.gatheringTimeout) { promise.fail(ChannelError.eof) }
        promise.completeWithTask(answer)
        promise.futureResult.assumeIsolated().whenComplete { [self] result in
            timeout.cancel()
            guard context.channel.isActive else { return }
            switch result {
            case .success(let answer): send(answer.status, answer.body, to: head, type: answer.type, context)
            case .failure: send(.serviceUnavailable, "the answer was not ready in time\n", to: head, context)
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
