import HTTPWire
import NIOCore

/// The way of the request's body.
extension Exchange {
    /// The client's handler has passed the head and can give the body.
    func headWasTaken() {
        if case .requesting = phase, !requestIsComplete { client?.inputIsWanted() }
    }

    /// Takes as many bytes as belong to the request and may be sent now.
    func takeRequestBytes(_ bytes: inout ByteBuffer) {
        guard let backend, !requestIsComplete, isTakingBody else { return }
        var runs = JoinedRuns(of: bytes)
        let step = bytes.withUnsafeReadableBytes { requestBody.scan($0, framed: { runs.add($0) }) }
        if step.accepted > 0 {
            bytes.moveReaderIndex(forwardBy: step.accepted)
            record?.requestBytes &+= UInt64(step.accepted)
            if let piece = runs.buffer { backend.write(worker.compact(piece)) }
            backend.flush()
            client?.deadline = .now() + worker.limits.bodyGap
        }
        switch step.outcome {
        case .more:
            if !backend.isWritable { holdRequest(backend) }
        case .complete:
            requestIsComplete = true
            client?.deadline = .distantFuture
            requestWasSent()
        case .refused(let refusal):
            bodyRefused(refusal)
        }
    }

    /// Whether more of the body can be used at once: the client may go on sending.
    var wantsRequestBytes: Bool {
        isTakingBody && !requestIsComplete && backend?.isWritable == true
    }

    private var isTakingBody: Bool {
        switch phase {
        case .requesting, .learning, .responding: true
        case .deciding, .connecting, .over: false
        }
    }

    func sendBody(_ connection: BackendHandler) {
        connection.flush()
        client?.deadline = .now() + worker.limits.bodyGap
        client?.inputIsWanted()
    }

    func requestWasSent() {
        guard case .requesting = phase else { return }
        backend?.deadline = .now() + worker.limits.responseHeadTimeout
    }

    /// The backend takes nothing for now: no more is read from the client until it does.
    private func holdRequest(_ backend: BackendHandler) {
        client?.pauseReading()
        client?.deadline = .distantFuture
        backend.deadline = .now() + worker.limits.bodyGap
    }

    func backendWritabilityChanged() {
        guard let backend, backend.isWritable, !requestIsComplete, isTakingBody else { return }
        backend.deadline = .distantFuture
        client?.deadline = .now() + worker.limits.bodyGap
        client?.inputIsWanted()
    }

    /// What was sent upstream stays incomplete, and both connections close.
    private func bodyRefused(_ refusal: BodyRefusal) {
        guard case .requesting = phase else { return cut() }
        clientPersists = false
        answer(ErrorAnswer(refusal))
    }

    func clientClosed() {
        status = status == 0 ? Self.clientClosedRequest : status
        _ = finish(backendIsReusable: false)
    }

    /// The client neither sent nor took a byte for too long.
    func clientTimedOut() {
        guard case .requesting = phase, !requestIsComplete else { return cut() }
        answer(.requestTimeout)
    }

    /// nginx's number for a client that went before it was answered; only in logs and metrics.
    static let clientClosedRequest = 499
}
