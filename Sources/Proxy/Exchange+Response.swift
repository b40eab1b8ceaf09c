import Affinity
import HTTPWire
import NIOCore

/// The way of the response.
extension Exchange {
    /// A body piece up to this size goes out in one buffer with the head.
    private static let joinedBody = 16 * 1024

    func takeResponseBytes(_ bytes: inout ByteBuffer) {
        switch phase {
        case .requesting:
            // Interim responses come before the one that counts.
            while bytes.readableBytes > 0, takeResponseHead(&bytes) {}
        case .responding:
            takeResponseBody(&bytes)
        case .learning:
            holdMore(&bytes)
        case .deciding, .connecting, .over:
            break
        }
    }

    /// Returns whether another head follows.
    private func takeResponseHead(_ bytes: inout ByteBuffer) -> Bool {
        let scan = bytes.withUnsafeReadableBytes { source -> ResponseScan in
            guard responseHeadEnd?.find(in: source) ?? true else { return .incomplete }
            return worker.scanner.scanResponse(source, requestMethod: method, into: worker.responseFields)
        }
        switch scan {
        case .incomplete:
            if responseHeadEnd == nil { responseHeadEnd = HeadEnd(limits: worker.limits.message) }
            return false
        case .refused:
            backendBroke()
            return false
        case .head(let head) where head.status < 200:
            responseHeadEnd = nil
            return takeInterim(head, &bytes)
        case .head(let head):
            responseHeadEnd = nil
            if !holdsResponse(&bytes) { respond(head, &bytes) }
            return false
        }
    }

    private func takeInterim(_ head: ResponseHead, _ bytes: inout ByteBuffer) -> Bool {
        interimCount += 1
        // 101 answers an Upgrade that was never passed on.
        guard !head.isSwitchingProtocols, interimCount <= worker.limits.interimResponses else {
            backendBroke()
            return false
        }
        if version == .http11, let client {
            var out = worker.spareBuffers.take()
            bytes.withUnsafeReadableBytes {
                DownstreamHead.writeInterim(head, in: $0, fields: worker.responseFields, into: &out)
            }
            client.write(out)
            client.flush()
            worker.spareBuffers.giveBack(out)
        }
        bytes.moveReaderIndex(forwardBy: head.length)
        return true
    }

    /// Passes on the head, with as much of the body as came with it where that is little.
    private func respond(_ head: ResponseHead, _ bytes: inout ByteBuffer) {
        guard let client else { return impossible() }
        phase = .responding
        heldHead = nil
        status = head.status
        recordResponseHead()
        responsePersists = head.isPersistent && head.framing != .untilClose
        responseFraming = head.framing
        responseBody = BodyScanner(head.framing, from: .backend, limits: worker.limits.message)
        dropsChunks = version == .http10 && head.framing == .chunked
        let closes =
            !clientPersists || !requestIsComplete || worker.isStopping || dropsChunks
            || head.framing == .untilClose
        clientPersists = !closes
        let additions = DownstreamHead.Additions(
            closes: closes, keepsAlive: !closes && version == .http10, dropsChunks: dropsChunks,
            setCookie: setCookies(), edits: passage?.response)
        var out = worker.spareBuffers.take()
        bytes.withUnsafeReadableBytes {
            DownstreamHead.write(head, in: $0, fields: worker.responseFields, adding: additions, into: &out)
        }
        bytes.moveReaderIndex(forwardBy: head.length)
        let step = joinBody(&bytes, to: &out)
        client.write(out)
        worker.spareBuffers.giveBack(out)
        if let step { afterBody(step, &bytes) } else { takeResponseBody(&bytes) }
    }

    /// The step over the body bytes that were copied behind the head, or nil where they are too many for that.
    private func joinBody(_ bytes: inout ByteBuffer, to out: inout ByteBuffer) -> BodyScanner.Step? {
        guard bytes.readableBytes <= Self.joinedBody else { return nil }
        return bytes.readWithUnsafeReadableBytes { source in
            func append(_ range: Range<Int>) { out.writeBytes(UnsafeRawBufferPointer(rebasing: source[range])) }
            let step =
                dropsChunks
                ? responseBody.scan(source, payload: append) : responseBody.scan(source, framed: append)
            return (step.accepted, step)
        }
    }

    private func takeResponseBody(_ bytes: inout ByteBuffer) {
        guard let client else { return }
        if bytes.readableBytes <= Self.joinedBody {
            var out = worker.spareBuffers.take()
            if let step = joinBody(&bytes, to: &out) {
                if out.readableBytes > 0 { client.write(out) }
                worker.spareBuffers.giveBack(out)
                return afterBody(step, &bytes)
            }
        }
        takeLargeBody(&bytes, client)
    }

    /// A large piece is passed on as the slice of the receive buffer that it is.
    private func takeLargeBody(_ bytes: inout ByteBuffer, _ client: ClientHandler) {
        var runs = JoinedRuns(of: bytes)
        let step = bytes.withUnsafeReadableBytes { source in
            dropsChunks
                ? responseBody.scan(source, payload: { runs.add($0) })
                : responseBody.scan(source, framed: { runs.add($0) })
        }
        bytes.moveReaderIndex(forwardBy: step.accepted)
        if let piece = runs.buffer { client.write(piece) }
        afterBody(step, &bytes)
    }

    private func afterBody(_ step: BodyScanner.Step, _ bytes: inout ByteBuffer) {
        client?.flush()
        record?.responseBytes &+= UInt64(step.accepted)
        switch step.outcome {
        case .more:
            bodyGoesOn()
        case .complete:
            responseIsComplete(leftover: bytes.readableBytes > 0)
        case .refused:
            cut()
        }
    }

    private func bodyGoesOn() {
        guard let client, let backend else { return }
        if client.isWritable {
            backend.deadline = .now() + worker.limits.bodyGap
        } else {
            // The client is slow: no more is read from the backend until it has taken what there is.
            backend.pauseReading()
            backend.deadline = .distantFuture
            client.deadline = .now() + worker.limits.bodyGap
        }
    }

    func clientWritabilityChanged() {
        guard case .responding = phase, let client, let backend, client.isWritable else { return }
        backend.deadline = .now() + worker.limits.bodyGap
        backend.resumeReading()
    }

    /// Bytes behind the end of a response, or a request that is not all sent: the connection is not used again.
    private func responseIsComplete(leftover: Bool) {
        let persists = clientPersists
        finish(backendIsReusable: responsePersists && requestIsComplete && !leftover)?.exchangeEnded(persists: persists)
    }

    // MARK: Failures of the backend

    func backendClosed() {
        backend = nil
        switch phase {
        case .requesting where !requestIsComplete || status != 0:
            backendBroke()
        case .requesting:
            lost()
        case .responding:
            closedWhileResponding()
        case .learning:
            // What it said is held, and its end is seen when that has gone on.
            break
        case .deciding, .connecting, .over:
            break
        }
    }

    /// A body without a length ends with the connection; every other one is cut short.
    private func closedWhileResponding() {
        guard responseFraming == .untilClose else { return cut() }
        end(clientPersists: false)
    }

    private func lost() {
        if interimCount == 0, sendAgain() { return }
        backendBroke()
    }

    /// The backend said something that is no response, or nothing.
    private func backendBroke() {
        guard case .responding = phase else { return answer(.badGateway) }
        cut()
    }

    /// The backend neither sent nor took a byte for too long.
    func backendTimedOut() {
        guard case .requesting = phase else { return cut() }
        answer(.gatewayTimeout)
    }
}
