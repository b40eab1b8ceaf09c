import Affinity
import HTTPWire
import NIOCore

/// One HTTP/1.1 connection to a backend that carries requests of its health check, one at a time. It stays open between
/// checks if the responses allow.
final class CheckConnection: ChannelInboundHandler, RemovableChannelHandler, DeadlineHolder {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// How a request ended.
    enum End {
        /// The head arrived, and the body did or was too long to wait for.
        case answered(status: Int, location: [UInt8])
        /// - Parameter isUntouched: not a byte of a response had arrived.
        case failed(FailingReason, isUntouched: Bool)
    }

    /// The bytes of a body that are read and discarded. After more, the connection is closed.
    static let bodyMax = 64 * 1024

    private let loop: LoopContext
    private let isPlain: Bool
    private let writer = SocketWriter()
    private var context: ChannelHandlerContext?
    private var input = ConnectionInput()
    private var response: HTTP1Response
    /// Takes the end of the request in progress; nil between requests.
    private var then: ((End) -> Void)?
    private var answer: (status: Int, location: [UInt8])?
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

    /// Sends a request. `then` is called once, in a later turn of the loop or in this one.
    func send(
        _ request: ByteBuffer, method: Method, by deadline: NIODeadline, _ then: @escaping (End) -> Void
    ) {
        guard let context else { return then(.failed(.closed, isUntouched: true)) }
        self.then = then
        self.deadline = deadline
        (answer, bodyCount, isUntouched) = (nil, 0, true)
        response.begin(method)
        writer.send(request, context)
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
                answer = (head.status, bytes.withUnsafeReadableBytes { location(in: $0) })
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

    private func location(in bytes: UnsafeRawBufferPointer) -> [UInt8] {
        let fields = loop.responseFields
        return fields.firstIndex(named: "location", in: bytes).map { Array(bytes[fields[$0].valueRange]) } ?? []
    }

    private func take(_ part: BodyPart) {
        bodyCount += part.content.readableBytes
        switch part.end {
        case .complete:
            finish()
        case .refused:
            fail(.malformed)
        case nil where bodyCount > Self.bodyMax:
            finish()
        case nil:
            break
        }
    }

    /// Shorter than the keep-alive of common servers (60 s or more in nginx and Go), so that Limpet closes first.
    private static let idleTimeout = TimeAmount.seconds(50)

    /// The status is known, and no more of the response matters.
    private func finish() {
        guard let answer else { return fail(.malformed) }
        let isKept = response.mayBeFollowed && isUsable
        deadline = isKept ? .now() + Self.idleTimeout : .distantFuture
        end(.answered(status: answer.status, location: answer.location), closing: !isKept)
    }

    private func fail(_ reason: FailingReason) {
        deadline = .distantFuture
        end(.failed(reason, isUntouched: isUntouched), closing: true)
    }

    private func end(_ end: End, closing: Bool) {
        let then = then.take()
        if closing { close() }
        then?(end)
    }
}

@available(*, unavailable)
extension CheckConnection: Sendable {}
