import Affinity
import HTTPWire
import NIOCore

/// One HTTP/1.1 connection to a backend that carries requests of its health check, one at a time. It stays open between
/// checks if the responses allow.
final class CheckConnection: ChannelInboundHandler, RemovableChannelHandler, DeadlineHolder, CheckCarrier {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let loop: LoopContext
    private let isPlain: Bool
    private let writer = SocketWriter()
    private var context: ChannelHandlerContext?
    private var input = ConnectionInput()
    private var response: HTTP1Response
    /// Takes the end of the request in progress; nil between requests.
    private var then: ((CheckEnd) -> Void)?
    private var answer: CheckAnswer?
    private var bodyCount = 0
    private var isUntouched = true
    var deadline = NIODeadline.distantFuture
    var sweepIndex = -1

    /// - Parameter isPlain: whether the channel has no TLS.
    init(loop: LoopContext, isPlain: Bool = true) {
        self.loop = loop
        self.isPlain = isPlain
        response = HTTP1Response(limits: loop.limits)
    }

    var isUsable: Bool { context != nil }

    func send(_ request: CheckRequest, by deadline: NIODeadline, _ then: @escaping (CheckEnd) -> Void) {
        guard let context else { return then(.failed(.closed, isUntouched: true)) }
        self.then = then
        self.deadline = deadline
        (answer, bodyCount, isUntouched) = (nil, 0, true)
        response.begin(request.method)
        writer.send(request.head, context)
    }

    func close() {
        guard let context else { return }
        writer.close(context)
    }

    // MARK: Events of the channel

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        if loop.sendsDirectly, isPlain { writer.useSocket(of: context) }
        loop.deadlines.add(self)
        input.read(context)
    }

    func channelInactive(context: ChannelHandlerContext) {
        writer.forget()
        self.context = nil
        loop.deadlines.remove(self)
        input.clear()
        guard then != nil else { return }
        switch response.connectionClosed() {
        case .body: finish()
        case .failed, .wait, .interim, .head, .heldTooMuch: fail(.closed)
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        guard then != nil else {
            // No request is in progress. These bytes would be confused with the next response.
            return writer.close(context)
        }
        isUntouched = false
        if var all = input.joined(with: &bytes) {
            read(&all)
            if then != nil { input.hold(all) }
        } else {
            read(&bytes)
            // The receive buffer belongs to the loop; bytes that stay here are copied out of it.
            if then != nil, bytes.readableBytes > 0 { input.hold(loop.copy(bytes)) }
        }
        loop.receiveBuffers.giveBack(bytes)
    }

    func channelReadComplete(context: ChannelHandlerContext) { input.read(context) }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if then != nil, let refusal = BackendTLSError(afterHandshake: error) { return fail(refusal.failure) }
        response.connectionFailed()
        writer.close(context)
    }

    func deadlinePassed() {
        then == nil ? close() : fail(.timedOut)
    }

    // MARK: The response

    private func read(_ bytes: inout ByteBuffer) {
        while bytes.readableBytes > 0, then != nil {
            switch response.read(&bytes, loop) {
            case .wait, .heldTooMuch:
                return
            case .interim(let head):
                bytes.moveReaderIndex(forwardBy: head.length)
            case .head(let head):
                answer = bytes.withUnsafeReadableBytes {
                    CheckAnswer(ResponseView(head: head, bytes: $0, fields: loop.responseFields))
                }
                response.passedHead(head, limits: loop.limits.message)
                bytes.moveReaderIndex(forwardBy: head.length)
                return take(response.readBody(&bytes, loop.responseFields))
            case .body(let part):
                return take(part)
            case .failed:
                return fail(.malformed)
            }
        }
    }

    private func take(_ part: BodyPart) {
        bodyCount += part.content.readableBytes
        switch part.end {
        case .complete:
            finish()
        case .refused:
            fail(.malformed)
        case nil where bodyCount > CheckAnswer.bodyMax:
            finish()
        case nil:
            break
        }
    }

    /// The status is known, and no more of the response matters.
    private func finish() {
        guard let answer else { return fail(.malformed) }
        let isKept = response.mayBeFollowed && isUsable
        deadline = isKept ? .now() + .checkIdleTimeout : .distantFuture
        end(.answered(answer), closing: !isKept)
    }

    private func fail(_ reason: FailingReason) {
        deadline = .distantFuture
        end(.failed(reason, isUntouched: isUntouched), closing: true)
    }

    private func end(_ end: CheckEnd, closing: Bool) {
        let then = then.take()
        if closing { close() }
        then?(end)
    }
}

@available(*, unavailable)
extension CheckConnection: Sendable {}
