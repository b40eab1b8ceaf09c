import NIOCore
import NIOHTTP1

/// What can be wrong with a response.
enum DockerAnswerFailure: Error, Equatable {
    case late(TimeAmount)
    case cut
    case tooLong(String, mebibytes: Int)
    case noEvent
    case lagging
    case ended
}

/// Collects one response.
final class DockerAnswerHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart

    private let answer: EventLoopPromise<DockerAnswer>
    private let limits: DockerEngine.Limits
    private let byteCountMax: Int
    private var status = 0
    private var body: [UInt8] = []
    private var headTimer: Scheduled<Void>?

    init(_ answer: EventLoopPromise<DockerAnswer>, limits: DockerEngine.Limits, byteCountMax: Int) {
        self.answer = answer
        self.limits = limits
        self.byteCountMax = byteCountMax
    }

    func handlerAdded(context: ChannelHandlerContext) {
        headTimer = context.eventLoop.scheduleTask(in: limits.head) { [answer, limits] in
            answer.fail(DockerAnswerFailure.late(limits.head))
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            headTimer?.cancel()
            status = Int(head.status.code)
        case .body(let bytes):
            guard body.count + bytes.readableBytes <= byteCountMax else {
                answer.fail(DockerAnswerFailure.tooLong("an answer", mebibytes: byteCountMax >> 20))
                context.close(promise: nil)
                return
            }
            body.append(contentsOf: bytes.readableBytesView)
        case .end:
            answer.succeed(DockerAnswer(status: status, body: body))
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        headTimer?.cancel()
        answer.fail(DockerAnswerFailure.cut)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        answer.fail(error)
        context.close(promise: nil)
    }
}

/// Passes on the events of an endless response as they arrive, one JSON object per line. A response with a status other
/// than 200 is collected instead.
final class DockerEventHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart

    /// The size limit for a response that explains why the stream was refused.
    private static let refusalByteCountMax = 64 << 10

    private let opened: EventLoopPromise<DockerAnswer>
    private let limits: DockerEngine.Limits
    private let events: AsyncThrowingStream<DockerEvent, any Error>.Continuation
    private let error: @Sendable (any Error) -> any Error
    private var status = 0
    /// An event that is not complete yet.
    private var line: [UInt8] = []

    /// - Parameter error: converts a failure to the error that the events' consumer receives.
    init(
        _ opened: EventLoopPromise<DockerAnswer>, limits: DockerEngine.Limits,
        _ events: AsyncThrowingStream<DockerEvent, any Error>.Continuation,
        error: @escaping @Sendable (any Error) -> any Error
    ) {
        self.opened = opened
        self.limits = limits
        self.events = events
        self.error = error
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            status = Int(head.status.code)
            if status == 200 { opened.succeed(DockerAnswer(status: status, body: [])) }
        case .body(let bytes) where status == 200: take(bytes.readableBytesView, context)
        case .body(let bytes):
            line.append(contentsOf: bytes.readableBytesView.prefix(Self.refusalByteCountMax - line.count))
        case .end:
            opened.succeed(DockerAnswer(status: status, body: line))
            fail(DockerAnswerFailure.ended, context)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        fail(DockerAnswerFailure.ended, context)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // The stream of events ends only with the connection, so this error is its regular end.
        let isEnd = error as? HTTPParserError == .invalidEOFState && status == 200
        fail(isEnd ? DockerAnswerFailure.ended : error, context)
    }

    private func take(_ bytes: ByteBufferView, _ context: ChannelHandlerContext) {
        var rest = bytes[...]
        while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
            guard gather(rest[..<end], context) else { return }
            let json = line
            line = []
            rest = rest[(end + 1)...]
            guard json.contains(where: { $0 > 0x20 }) else { continue }
            guard handOn(json, context) else { return }
        }
        _ = gather(rest, context)
    }

    private func gather(_ bytes: ByteBufferView, _ context: ChannelHandlerContext) -> Bool {
        guard line.count + bytes.count <= limits.eventMebibytes << 20 else {
            fail(DockerAnswerFailure.tooLong("an event", mebibytes: limits.eventMebibytes), context)
            return false
        }
        line.append(contentsOf: bytes)
        return true
    }

    private func handOn(_ json: [UInt8], _ context: ChannelHandlerContext) -> Bool {
        do {
            guard let event = try DockerEvent.read(json) else { return true }
            if case .enqueued = events.yield(event) { return true }
            fail(DockerAnswerFailure.lagging, context)
        } catch {
            fail(DockerAnswerFailure.noEvent, context)
        }
        return false
    }

    /// Later parts of the response are ignored.
    private func fail(_ failure: any Error, _ context: ChannelHandlerContext) {
        opened.fail(failure == .ended ? DockerAnswerFailure.cut : failure)
        events.finish(throwing: error(failure))
        context.close(promise: nil)
    }
}

private func == (error: any Error, failure: DockerAnswerFailure) -> Bool {
    error as? DockerAnswerFailure == failure
}
