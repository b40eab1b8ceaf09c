import HTTP2Wire
import HTTPWire
import NIOCore
import NIOSSL

/// One HTTP/2 connection to a client (RFC 9113). Each of its streams has its own exchange, and so its own session and
/// backend.
///
/// Output is gathered: of all that happens on the connection in one turn of the loop comes one write.
final class HTTP2ClientConnection: ChannelInboundHandler, RemovableChannelHandler, ClientConnection {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private enum State {
        /// → leaving, closing, closed
        case open
        /// The client was told that the connection will end. → refusing, closing, closed
        case leaving
        /// No more streams are taken; those that are open go on. → closing, closed
        case refusing
        /// The last bytes are being sent; further input is discarded. → closed
        case closing
        case closed
    }

    /// Between requests of a client that begins more at once than it may have open.
    private static let pause = TimeAmount.milliseconds(5)

    /// After the end of the connection: its window, and as much again for frame heads and other frames.
    private static let mostDiscarded = 2 * HTTP2Settings(.server).connectionWindow

    private let worker: Worker
    let loop: LoopContext
    let entryPoint: EntryPoint
    /// Nil: without TLS.
    private let tls: TLSConnectionInfo?
    private var identity: ClientConnectionInfo?
    private(set) var session: HTTP2Session?
    private var streams: [Int32: HTTP2ClientStream] = [:]
    /// The open stream that something happened to last: most often the next event is one of its own.
    private var recent: HTTP2ClientStream?
    private var context: ChannelHandlerContext?
    private var state = State.open
    private let writer = SocketWriter()
    private let output: HTTP2Output
    /// Frames of content that were sent, of all streams: they show that the client takes something.
    private(set) var contentFrames: UInt64 = 0
    /// By when the channel must take more; `distantFuture`: it does.
    private var writeDeadline = NIODeadline.distantFuture
    /// Streams that had too much to send, and have not any more.
    private var writable: [HTTP2ClientStream] = []
    /// The bytes that the session is reading; content is a part of them.
    private var input = ByteBuffer()
    /// What was read and waits for its turn: a client that begins many requests at once holds up no other connection.
    private var unread = ByteBuffer()
    /// How many bytes have been discarded since the end.
    private var discarded = 0
    private var isReceiving = false
    private var isSending = false
    private var awaitsTurnEnd = false
    private var bounds = RequestBounds()
    /// By when a block of fields must be complete that has begun; `distantFuture`: none has.
    private var headDeadline = NIODeadline.distantFuture
    /// By when a connection without streams closes.
    private var idleDeadline = NIODeadline.distantFuture
    /// The replica stops: until then streams are taken that are on their way.
    private var lastRequest = NIODeadline.distantFuture
    private(set) var deadline = NIODeadline.distantFuture
    var sweepIndex = -1

    init(worker: Worker, entryPoint: EntryPoint, tls: TLSConnectionInfo? = nil) {
        self.worker = worker
        self.entryPoint = entryPoint
        self.tls = tls
        loop = worker.loop
        output = HTTP2Output(writer)
        session = HTTP2Session(HTTP2Settings(entryPoint.limits, loop.limits), events: self)
    }

    // MARK: Events of the channel

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        guard session != nil else { return context.close(promise: nil) }
        if context.channel.isActive { begin(context) }
    }

    func channelActive(context: ChannelHandlerContext) { begin(context) }

    private func begin(_ context: ChannelHandlerContext) {
        guard identity == nil else { return }
        identity = ClientConnectionInfo(
            remote: context.channel.remoteAddress, tls: tls, isHTTP2: true, entryPoint: entryPoint,
            replicaName: loop.replicaName)
        if loop.sendsDirectly, tls == nil { writer.useSocket(of: context) }
        worker.clientOpened(self, at: entryPoint)
        loop.counters.http2.connections &+= 1
        bounds.connectionOpened(entryPoint.limits, now: .now())
        idleDeadline = bounds.headBegan(entryPoint.limits, now: .now())
        setDeadline()
        send()
        context.read()
    }

    func channelInactive(context: ChannelHandlerContext) {
        writer.forget()
        state = .closed
        self.context = nil
        worker.clientClosed(self, at: entryPoint)
        closeStreams()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        switch state {
        case .open, .leaving, .refusing:
            if unread.readableBytes > 0 { unread.writeBuffer(&bytes) } else { receive(bytes) }
        case .closing: discarded += bytes.readableBytes
        case .closed: break
        }
        loop.receiveBuffers.giveBack(bytes)
    }

    /// No later handler needs this event. A stream whose backend takes nothing does not stop the others.
    ///
    /// After the end, no more is read than a client can have sent that keeps to its windows: to discard what a flood
    /// sends on would cost more than the flood did.
    func channelReadComplete(context: ChannelHandlerContext) {
        if unread.readableBytes == 0, discarded <= Self.mostDiscarded { context.read() }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case ChannelEvent.inputClosed = event else { return context.fireUserInboundEventTriggered(event) }
        // A client that sends nothing more cannot open the windows either: it is gone.
        close()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        let isTaken = context.channel.isWritable
        watchOutput(isTaken: isTaken)
        if isTaken { send() }
    }

    /// A client that takes nothing keeps its streams, and nothing that would end them reaches it.
    private func watchOutput(isTaken: Bool) {
        guard isTaken != (writeDeadline == .distantFuture) else { return }
        writeDeadline = isTaken ? .distantFuture : .now() + loop.limits.stallTimeout
        setDeadline()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if tls != nil, case NIOSSLError.uncleanShutdown = error { return }
        writer.close(context)
    }

    func deadlinePassed() {
        deadline = .distantFuture
        switch state {
        case .open, .leaving, .refusing: timedOut()
        case .closing: close()
        case .closed: break
        }
    }

    private func timedOut() {
        let now = NIODeadline.now()
        if writeDeadline <= now { return stalled() }
        if headDeadline <= now { return end(for: .requestTimeout) }
        if streams.isEmpty { return end() }
        // The time for streams that were on their way when the stop began is over.
        refuseStreams()
        setDeadline()
    }

    /// The client takes nothing, so that there is no use in telling it that the connection ends.
    private func stalled() {
        for stream in Array(streams.values) { stream.stalled() }
        close()
    }

    /// Ends the connection with all its streams.
    private func end(for reason: Reason? = nil) {
        if let reason { loop.counters.refused[reason, default: 0] &+= 1 }
        session?.terminate(HTTP2ErrorCode.noError)
        send()
        closeAfterOutput()
    }

    /// Without streams the connection is idle; a head that has begun must be completed; a stop has its own time, and so
    /// has the end.
    private func setDeadline() {
        switch state {
        case .open, .leaving, .refusing: break
        case .closing, .closed: return
        }
        let idle = streams.isEmpty ? idleDeadline : .distantFuture
        let last = if case .leaving = state { lastRequest } else { NIODeadline.distantFuture }
        deadline = min(idle, headDeadline, writeDeadline, last)
    }

    private func watchHead() {
        guard let session, session.isInHead != (headDeadline != .distantFuture) else { return }
        headDeadline = session.isInHead ? .now() + entryPoint.limits.headTimeout : .distantFuture
        setDeadline()
    }

    // MARK: Input

    private func receive(_ bytes: ByteBuffer) {
        guard let session else { return }
        isReceiving = true
        input = bytes
        let goesOn = bytes.withUnsafeReadableBytes { session.receive($0, at: NIODeadline.now().uptimeMilliseconds) }
        input = ByteBuffer()
        isReceiving = false
        send()
        guard goesOn else { return closeAfterOutput() }
        watchHead()
        keepUnread(of: bytes, session.unreadCount)
    }

    /// Only a client that resets most of what it begins gets here. Others are served meanwhile.
    private func keepUnread(of bytes: ByteBuffer, _ count: Int) {
        guard count > 0, let rest = bytes.getSlice(at: bytes.writerIndex - count, length: count) else { return }
        unread = loop.copy(rest)
        let bound = NIOLoopBound(self, eventLoop: loop.eventLoop)
        loop.eventLoop.scheduleTask(in: Self.pause) { bound.value.receiveUnread() }
    }

    private func receiveUnread() {
        let bytes = unread
        unread = ByteBuffer()
        switch state {
        case .open, .leaving, .refusing: receive(bytes)
        case .closing, .closed: break
        }
        if unread.readableBytes == 0 { context?.read() }
    }

    private func open(_ id: Int32) -> HTTP2ClientStream {
        let stream = HTTP2ClientStream(id, on: self)
        streams[id] = stream
        recent = stream
        if streams.count == 1 { setDeadline() }
        loop.deadlines.add(stream)
        return stream
    }

    private func stream(_ id: Int32) -> HTTP2ClientStream? {
        if let recent, recent.id == id { return recent }
        recent = streams[id]
        return recent
    }

    private func start(_ stream: HTTP2ClientStream, _ view: RequestView, ends: Bool) {
        loop.counters.http2.requests &+= 1
        bounds.headEnded(hasBody: false, entryPoint.limits, now: .now())
        stream.begin(view, ends: ends, worker: worker)
        if !bounds.mayPersist(entryPoint.limits, now: .now()) { refuseStreams() }
    }

    /// Once streams are refused, the client was told which one was the last: it may send the others again elsewhere.
    /// The session closes them when it has said so (RFC 9113, section 6.8).
    private var takesStreams: Bool {
        switch state {
        case .open, .leaving: true
        case .refusing, .closing, .closed: false
        }
    }

    private func refuse(_ stream: Int32, _ cause: Cause, bodiless: Bool = false, isGRPC: Bool = false) {
        let status = LocalResponse(cause).status
        open(stream).refuse(cause, bodiless: bodiless, isGRPC: isGRPC)
        record(cause, status: status)
    }

    private func record(_ cause: Cause, status: Int) {
        guard let log = loop.exchangeLog, let identity else { return }
        log.append(ExchangeLogEntry(refused: cause, status: status, from: identity))
    }

    // MARK: Output

    /// There is something to send: at once, if nothing else is going to come in this turn.
    func outputIsReady() {
        guard !isReceiving, !isSending, !awaitsTurnEnd else { return }
        if streams.count <= 1 { return send() }
        awaitsTurnEnd = true
        loop.atTurnEnd(self)
    }

    private func send() {
        guard !isSending, !isReceiving, let session else { return }
        isSending = true
        watchOutput(isTaken: output.send(session, on: loop) { self.context })
        isSending = false
        tellWritable()
        guard context != nil, session.isOver else { return }
        closeAfterOutput()
    }

    /// Only now: an exchange must not be told from within the session.
    private func tellWritable() {
        guard !writable.isEmpty else { return }
        let streams = writable
        writable = []
        for stream in streams { stream.becameWritable() }
    }

    // MARK: Ends

    /// Takes no more streams. Those that are open go on, and the connection closes after the last.
    private func refuseStreams() {
        switch state {
        case .open, .leaving:
            state = .refusing
            session?.refuseStreams()
            outputIsReady()
        case .refusing, .closing, .closed: break
        }
    }

    /// Closes the output after everything that is still to be written, then discards input for a while: a reset would
    /// destroy what is in flight.
    private func closeAfterOutput() {
        switch state {
        case .closing, .closed: return
        case .open, .leaving, .refusing: break
        }
        guard let context else { return }
        state = .closing
        recordFlood()
        closeStreams()
        deadline = .now() + loop.limits.stallTimeout
        writer.afterWrites(context) { [self] in outputHasLeft() }
    }

    /// What a flood makes us send may be what ends the connection, so that only its end tells.
    private func recordFlood() {
        guard let flood = session?.flood, let identity else { return }
        loop.counters.http2.floods[flood, default: 0] &+= 1
        loop.floodLog.flooded(flood, client: identity.address, entryPoint: entryPoint.name, now: loop.now())
    }

    private func outputHasLeft() {
        guard case .closing = state else { return }
        deadline = .now() + loop.limits.lingerTimeout
        if let context { writer.close(context, .output) }
    }

    private func closeStreams() {
        let open = streams
        streams = [:]
        recent = nil
        for stream in open.values {
            loop.deadlines.remove(stream)
            stream.closed(error: HTTP2ErrorCode.cancel)
        }
    }

    private func close() {
        if let context { writer.close(context) }
    }

    // MARK: Called by the worker

    func stop(by last: NIODeadline) {
        guard case .open = state else { return }
        state = .leaving
        lastRequest = last
        session?.announceEnd()
        send()
        setDeadline()
    }

    func goAway(by last: NIODeadline) {}

    func cut() {
        for stream in Array(streams.values) { stream.stopped() }
        session?.terminate(HTTP2ErrorCode.noError)
        send()
        close()
    }
}

// MARK: - Events of the session

extension HTTP2ClientConnection: HTTP2Events {
    func received(head bytes: UnsafeRawBufferPointer, of id: Int32, ends: Bool) {
        guard takesStreams, let identity else { return }
        switch loop.scanner.scanRequest(bytes, into: loop.requestFields) {
        case .head(let head):
            let view = RequestView(head: head, bytes: bytes, fields: loop.requestFields, client: identity)
            guard !Self.isOtherHTTP(view) else { return refuse(id, Cause(.notImplemented)) }
            start(open(id), view, ends: ends)
        case .refused(let refusal):
            refuse(id, Cause(request: refusal), bodiless: Method.isHead(bytes), isGRPC: GRPCCall.isNamed(in: bytes))
        case .incomplete:
            // The head ends with an empty line.
            loop.counters.impossible &+= 1
            session?.reset(id, HTTP2ErrorCode.internalError)
        }
    }

    /// An extended CONNECT for a version of HTTP or TLS: there is no tunnel for them.
    private static func isOtherHTTP(_ view: RequestView) -> Bool {
        view.fields.first(.upgrade) != nil && !view.head.wantsUpgrade
    }

    func refusedHead(of id: Int32, _ fault: HTTP2HeadFault) {
        guard takesStreams else { return }
        switch fault {
        case .tooLarge(let isToHead, let isGRPC):
            refuse(id, Cause(.fieldsTooLarge), bodiless: isToHead, isGRPC: isGRPC)
        case .malformed:
            loop.counters.refused[.badRequest, default: 0] &+= 1
            record(Cause(.badRequest), status: 400)
        }
    }

    func received(content: UnsafeRawBufferPointer, of id: Int32) {
        guard let stream = stream(id) else { return session?.consume(content.count, of: id) ?? () }
        stream.received(input.part(content))
    }

    func receivedEnd(of id: Int32, trailers: UnsafeRawBufferPointer) {
        guard let stream = stream(id) else { return }
        stream.received(BodyReader.end(trailers: trailers, loop.requestFields, loop.limits.message))
    }

    func closed(_ id: Int32, error: UInt32) {
        guard let stream = streams.removeValue(forKey: id) else { return }
        recent = nil
        loop.deadlines.remove(stream)
        stream.closed(error: error)
        guard streams.isEmpty else { return }
        idleDeadline = loop.deadlines.deadline(in: entryPoint.limits.idleTimeout)
        setDeadline()
    }

    /// The client opens no more streams; it closes the connection when it wants to.
    func receivedGoAway(last: Int32, error: UInt32) {}

    func content(of id: Int32, atMost limit: Int) -> HTTP2Content {
        stream(id)?.content(atMost: limit) ?? HTTP2Content(count: 0, end: .goesOn)
    }

    func write(_ count: Int, of id: Int32, after frameHead: UnsafeRawBufferPointer) {
        let stream = stream(id)
        contentFrames &+= 1
        let isWritable = output.write(after: frameHead) { stream?.write(count, into: &$0) ?? false }
        if isWritable, let stream { writable.append(stream) }
    }

    func webSocketKey() -> [UInt8] {
        Base64.encode(withUnsafeBytes(of: (loop.randomSeed(), loop.randomSeed())) { Array($0) })
    }

    /// Clients ask for it alone.
    func webSocketAccept(of stream: Int32) -> [UInt8] { [] }
}

extension HTTP2ClientConnection: TurnEndWork {
    func turnEnds() {
        awaitsTurnEnd = false
        send()
    }
}

@available(*, unavailable)
extension HTTP2ClientConnection: Sendable {}
