import Affinity
import HTTPWire
import NIOCore

/// One HTTP/2 connection to a backend that carries requests of its health check, one at a time.
final class HTTP2CheckConnection: CheckCarrier {
    /// Nil once it lends no more places.
    private var connection: HTTP2BackendConnection?
    private var stream: HTTP2BackendStream?
    /// Takes the end of the request in progress; nil between requests.
    private var then: ((CheckEnd) -> Void)?
    private var answer: CheckAnswer?
    private var bodyCount = 0
    private var keepsContent = false

    init(loop: LoopContext, on channel: any Channel, isSecure: Bool) throws {
        let connection = HTTP2BackendConnection(loop: loop, keeper: self, isSecure: isSecure)
        try channel.pipeline.syncOperations.addHandler(connection)
        self.connection = connection
    }

    var isUsable: Bool { connection?.hasRoom ?? false }

    func send(_ request: CheckRequest, by deadline: NIODeadline, _ then: @escaping (CheckEnd) -> Void) {
        guard let connection, connection.hasRoom else { return then(.failed(.closed, isUntouched: true)) }
        let stream = connection.place()
        self.stream = stream
        self.then = then
        (answer, bodyCount, keepsContent) = (nil, 0, request.call != nil)
        stream.send(
            request.head, method: request.method, framing: request.call == nil ? .none : .chunked,
            acceptsTrailers: request.call != nil, for: self)
        stream.deadline = deadline
        guard let call = request.call else { return }
        stream.send(BodyPart(content: call, end: .complete(trailers: [])))
        stream.flush()
    }

    func close() {
        stream.take()?.end()
        connection?.leave()
    }

    private func end(_ end: CheckEnd) {
        stream.take()?.end()
        then.take()?(end)
    }
}

extension HTTP2CheckConnection: UpstreamReceiver {
    func receivedInterim(_ response: ResponseView) {}

    func receivedHead(_ response: ResponseView) -> Bool {
        answer = CheckAnswer(response)
        return true
    }

    func switchedProtocols(to protocols: UpgradeProtocols) {}

    func received(_ part: consuming BodyPart) {
        bodyCount += part.content.readableBytes
        if keepsContent { answer?.content += part.content.readableBytesView }
        switch part.end {
        case .complete(let trailers):
            answer?.grpcLines += trailers
            finish()
        case .refused: end(.failed(.malformed, isUntouched: false))
        case nil where bodyCount > CheckAnswer.bodyMax: finish()
        case nil: break
        }
    }

    private func finish() { end(answer.map { .answered($0) } ?? .failed(.malformed, isUntouched: false)) }

    func upstreamFailed(_ failure: UpstreamFailure) {
        let isUntouched =
            switch failure {
            case .notProcessed, .lost(afterInterim: false, detail: _), .silent(afterInterim: false): true
            case .lost, .silent, .takesNoTunnel, .refused, .cut: false
            }
        end(.failed(failure.reason, isUntouched: isUntouched))
    }

    func upstreamWritabilityChanged() {}

    /// The connection may be at fault, and is not used again.
    func upstreamTimedOut() {
        connection?.leave()
        end(.failed(.timedOut, isUntouched: false))
    }
}

extension HTTP2CheckConnection: HTTP2ConnectionKeeper {
    var idleTimeout: TimeAmount? { .checkIdleTimeout }

    /// Each check has a deadline of its own.
    var pings: PingLimits? { nil }

    func becameIdle(_ connection: HTTP2BackendConnection) {}

    func left(_ connection: HTTP2BackendConnection) { self.connection = nil }
}

@available(*, unavailable)
extension HTTP2CheckConnection: Sendable {}
