import HTTP2Wire
import HTTPWire
import NIOCore

/// Keeps HTTP/2 connections to one backend, and lends places on them.
protocol HTTP2ConnectionKeeper: AnyObject {
    /// How long a connection without streams stays open; nil: without limit.
    var idleTimeout: TimeAmount? { get }

    /// How a silent connection with streams is found out to be dead; nil: it is not.
    var pings: PingLimits? { get }

    /// The connection has no stream now. It may be told to leave.
    func becameIdle(_ connection: HTTP2BackendConnection)

    /// The connection lends no more places.
    func left(_ connection: HTTP2BackendConnection)
}

/// One HTTP/2 connection to a backend (RFC 9113), which carries many exchanges at a time, each on a stream of its own.
///
/// Output is gathered: of all that happens on the connection in one turn of the loop comes one write.
final class HTTP2BackendConnection: ChannelInboundHandler, DeadlineHolder {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private enum State {
        /// → leaving, closed
        case open
        /// Lends no more places; the streams that are open go on. → closed
        case leaving
        case closed
    }

    /// Streams at once, whatever the backend allows. The window of the connection is large enough for all of them: a
    /// client that does not take its response holds up no other.
    static let streamsMax = 256
    static let streamWindow = 256 * 1024

    let loop: LoopContext
    private let keeper: any HTTP2ConnectionKeeper
    private let isSecure: Bool
    /// How many streams the backend is taken to allow before it has said.
    private let assumedStreams: Int
    private(set) var session: HTTP2Session?
    private var context: ChannelHandlerContext?
    private var state = State.open
    private var streams: [Int32: HTTP2BackendStream] = [:]
    /// Places that are lent, and over which nothing was sent yet.
    private var placed = 0
    private var isIdle = false
    /// Nothing has come since a PING.
    private var isPinged = false
    /// WebSockets that wait for the backend's settings, which say whether it takes them. They keep their places.
    private var waiting: [(stream: HTTP2BackendStream, head: ByteBuffer)] = []
    /// The last stream that the backend may have processed.
    private var lastProcessed = Int32.max
    /// What the backend said of our certificate.
    private var detail: String?
    private let writer = SocketWriter()
    private let output: HTTP2Output
    /// The bytes that the session is reading; content is a part of them.
    private var input = ByteBuffer()
    /// Streams that have something to deliver, and that can take more to send.
    private var touched: [HTTP2BackendStream] = []
    private var writable: [HTTP2BackendStream] = []
    private var isReceiving = false
    private var isSending = false
    private var awaitsTurnEnd = false
    private(set) var reads: UInt64 = 0
    private(set) var deadline = NIODeadline.distantFuture
    var sweepIndex = -1

    /// - Parameter isSecure: whether the channel has TLS.
    init(
        loop: LoopContext, keeper: any HTTP2ConnectionKeeper, isSecure: Bool, assumedStreams: Int = streamsMax
    ) {
        self.loop = loop
        self.keeper = keeper
        self.isSecure = isSecure
        self.assumedStreams = assumedStreams
        output = HTTP2Output(writer)
        session = HTTP2Session(.toBackend(loop.limits), events: self)
    }

    // MARK: Places

    var isUsable: Bool {
        if case .closed = state { return false }
        return context != nil && session != nil
    }

    /// Streams and places.
    var load: Int { streams.count + placed }

    /// How many streams the backend allows; nil: it has not said.
    var allowedStreams: Int? { session.flatMap { $0.hasPeerSettings ? $0.peerStreams : nil } }

    var hasRoom: Bool {
        guard case .open = state, isUsable, let session else { return false }
        let assumed = session.hasPeerSettings ? .max : assumedStreams
        return load < min(session.peerStreams, assumed, Self.streamsMax)
    }

    func place() -> HTTP2BackendStream {
        if load == 0 { expectSomething() }
        placed += 1
        isIdle = false
        return HTTP2BackendStream(on: self)
    }

    /// Nothing was sent over it.
    func giveBackPlace() {
        placed -= 1
        outputIsReady()
        settle()
    }

    /// Lends no more places, and closes after the last stream.
    func leave() {
        guard case .open = state else { return }
        state = .leaving
        keeper.left(self)
        settle()
    }

    /// The connection may be idle now, or over.
    private func settle() {
        guard load == 0, !isReceiving, !isSending else { return }
        switch state {
        case .open where session?.peerStreams == 0: leave()
        case .open:
            guard !isIdle else { return }
            isIdle = true
            deadline = loop.deadlines.deadline(in: keeper.idleTimeout)
            keeper.becameIdle(self)
        case .leaving: close()
        case .closed: break
        }
    }

    // MARK: Events of the channel

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        if loop.sendsDirectly, !isSecure { writer.useSocket(of: context) }
        loop.counters.backendConnections += 1
        loop.deadlines.add(self)
        context.read()
    }

    func channelInactive(context: ChannelHandlerContext) {
        writer.forget()
        self.context = nil
        loop.counters.backendConnections -= 1
        loop.deadlines.remove(self)
        end(.lost(detail: detail))
        // A write that fails closes the channel at once, maybe in the middle of a call of an exchange.
        if !isSending { deliver() }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        if case .closed = state {} else { receive(bytes) }
        loop.receiveBuffers.giveBack(bytes)
    }

    /// No later handler needs this event. A stream whose client takes nothing does not stop the others.
    func channelReadComplete(context: ChannelHandlerContext) { context.read() }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { work() }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        detail = detail ?? BackendTLSError(afterHandshake: error)?.detail
        writer.close(context)
    }

    func deadlinePassed() {
        deadline = .distantFuture
        guard load > 0 else { return leave() }
        guard let pings = keeper.pings else { return }
        guard !isPinged else { return endInSilence() }
        isPinged = true
        deadline = loop.deadlines.deadline(in: pings.timeout)
        session?.ping()
        outputIsReady()
    }

    /// From now on, or for the first time, silence counts.
    private func expectSomething() {
        isPinged = false
        deadline = loop.deadlines.deadline(in: keeper.pings?.silence)
    }

    private func endInSilence() {
        session?.terminate(HTTP2ErrorCode.noError)
        end(.silent)
        deliver()
        work()
    }

    private func receive(_ bytes: ByteBuffer) {
        guard let session else { return }
        isReceiving = true
        reads &+= 1
        if load > 0 { expectSomething() }
        input = bytes
        let goesOn = bytes.withUnsafeReadableBytes { session.receive($0, at: NIODeadline.now().uptimeMilliseconds) }
        input = ByteBuffer()
        openWaiting()
        if !goesOn { end(.refused(fault(session))) }
        deliver()
        isReceiving = false
        work()
    }

    /// What the backend did wrong, if the session received the last bytes that it takes.
    private func fault(_ session: HTTP2Session) -> Cause {
        let what = session.flood.map { "it flooded the connection: \($0.rawValue)" } ?? "it broke the rules of HTTP/2"
        return Cause(.responseRefused, what)
    }

    /// No stream goes on.
    private func end(_ cause: HTTP2Response.Break) {
        leave()
        state = .closed
        let open = streams
        streams = [:]
        for stream in open.values { closed(stream, cause) }
        let unsent = waiting
        waiting = []
        placed -= unsent.count
        for (stream, _) in unsent { closed(stream, .notProcessed) }
    }

    private func closed(_ stream: HTTP2BackendStream, _ cause: HTTP2Response.Break) {
        stream.closed(stream.id <= lastProcessed ? cause : .notProcessed)
        touch(stream)
    }

    private func close() {
        state = .closed
        session?.terminate(HTTP2ErrorCode.noError)
        send()
        if let context { writer.close(context) }
    }

    // MARK: Delivery

    /// The stream has something to deliver: not from within a call of its exchange.
    func touch(_ stream: HTTP2BackendStream) {
        guard !stream.isTouched else { return }
        stream.isTouched = true
        touched.append(stream)
        if !isReceiving { awaitTurnEnd() }
    }

    private func deliver() {
        while !touched.isEmpty {
            let streams = touched
            touched = []
            for stream in streams {
                stream.isTouched = false
                stream.deliver()
            }
        }
    }

    /// Everything that can be sent and delivered now. Not from within a call of an exchange.
    private func work() {
        send()
        if let session, session.isOver {
            end(.refused(fault(session)))
            deliver()
        }
        let streams = writable
        writable = []
        for stream in streams { stream.becameWritable() }
        if case .closed = state { close() } else { settle() }
    }

    private func awaitTurnEnd() {
        guard !awaitsTurnEnd else { return }
        awaitsTurnEnd = true
        loop.atTurnEnd(self)
    }

    // MARK: Output

    /// There is something to send: at once, if nothing else is going to come in this turn.
    func outputIsReady() {
        guard !isReceiving, !isSending, !awaitsTurnEnd else { return }
        guard streams.count <= 1 else { return awaitTurnEnd() }
        send()
        if !writable.isEmpty { awaitTurnEnd() }
    }

    private func send() {
        guard !isSending, !isReceiving, let session else { return }
        isSending = true
        output.send(session, on: loop) { self.context }
        isSending = false
    }

    // MARK: Called by streams

    /// Sends the head of the request that uses a place.
    func open(_ stream: HTTP2BackendStream, _ head: ByteBuffer, acceptsTrailers: Bool, ends: Bool) {
        loop.deadlines.add(stream)
        begin(stream, head) { session, bytes in
            session.send(request: bytes, scheme: scheme, acceptsTrailers: acceptsTrailers, ends: ends)
        }
        outputIsReady()
    }

    /// Sends the head of a request for a WebSocket that uses a place, once the backend has said that it takes any.
    func open(webSocket stream: HTTP2BackendStream, _ head: ByteBuffer) {
        loop.deadlines.add(stream)
        waiting.append((stream, head))
        openWaiting()
        outputIsReady()
    }

    private func openWaiting() {
        guard !waiting.isEmpty, let session, session.hasPeerSettings || !isUsable else { return }
        let all = waiting
        waiting = []
        for (stream, head) in all {
            guard session.takesWebSockets || !isUsable else {
                placed -= 1
                closed(stream, .takesNoTunnel)
                continue
            }
            begin(stream, head) { session, bytes in session.send(webSocket: bytes, scheme: scheme) }
        }
    }

    private var scheme: String { isSecure ? "https" : "http" }

    /// The head may be sent again, and the session changes the bytes that it gets.
    private func begin(
        _ stream: HTTP2BackendStream, _ head: ByteBuffer,
        _ send: (HTTP2Session, UnsafeMutableRawBufferPointer) -> Int32?
    ) {
        placed -= 1
        var bytes = loop.spareBuffers.take()
        bytes.writeImmutableBuffer(head)
        defer { loop.spareBuffers.giveBack(bytes) }
        guard isUsable, let session, let id = bytes.withUnsafeMutableReadableBytes({ send(session, $0) }) else {
            return closed(stream, .notProcessed)
        }
        stream.id = id
        streams[id] = stream
    }

    /// - Parameter error: nil if both sides are complete.
    func ended(_ stream: HTTP2BackendStream, resettingBy error: UInt32?) {
        if streams.removeValue(forKey: stream.id) != nil, let error { session?.reset(stream.id, error) }
        if let index = waiting.firstIndex(where: { $0.stream === stream }) {
            waiting.remove(at: index)
            placed -= 1
        }
        outputIsReady()
        settle()
    }

    /// If nothing was heard since the request was sent, the backend may be gone, and nobody has said so.
    func timedOut(_ stream: HTTP2BackendStream) {
        if stream.readsBefore == reads { leave() }
    }
}

// MARK: - Events of the session

extension HTTP2BackendConnection: HTTP2Events {
    func received(head: UnsafeRawBufferPointer, of id: Int32, ends: Bool) {
        guard let stream = streams[id] else { return }
        stream.received(head: head, ends: ends)
        touch(stream)
    }

    func refusedHead(of id: Int32, _ fault: HTTP2HeadFault) {
        guard let stream = streams.removeValue(forKey: id) else { return }
        session?.reset(id, HTTP2ErrorCode.protocolError)
        let what =
            switch fault {
            case .malformed: "a head that is malformed"
            case .tooLarge: "the fields of the head are too large"
            }
        closed(stream, .refused(Cause(.responseRefused, what)))
    }

    func received(content: UnsafeRawBufferPointer, of id: Int32) {
        guard let stream = streams[id] else { return session?.consume(content.count, of: id) ?? () }
        stream.received(input.part(content))
        touch(stream)
    }

    func receivedEnd(of id: Int32, trailers: UnsafeRawBufferPointer) {
        guard let stream = streams[id] else { return }
        stream.received(BodyReader.end(trailers: trailers, loop.responseFields, loop.limits.message))
        touch(stream)
    }

    func closed(_ id: Int32, error: UInt32) {
        guard let stream = streams.removeValue(forKey: id) else { return }
        closed(stream, error == HTTP2ErrorCode.refusedStream ? .notProcessed : .lost(detail: detail))
    }

    func receivedGoAway(last: Int32, error: UInt32) {
        lastProcessed = min(lastProcessed, last)
        leave()
    }

    func content(of id: Int32, atMost limit: Int) -> HTTP2Content {
        // A stream that is given up: the backend must not take what it has for the whole.
        streams[id]?.content(atMost: limit) ?? HTTP2Content(count: 0, end: .goesOn)
    }

    func write(_ count: Int, of id: Int32, after frameHead: UnsafeRawBufferPointer) {
        let stream = streams[id]
        let isWritable = output.write(after: frameHead) { stream?.write(count, into: &$0) ?? false }
        if isWritable, let stream { writable.append(stream) }
    }

    /// Servers ask for it alone.
    func webSocketKey() -> [UInt8] { [] }

    func webSocketAccept(of id: Int32) -> [UInt8] { streams[id]?.webSocketAccept ?? [] }
}

extension HTTP2BackendConnection: TurnEndWork {
    func turnEnds() {
        awaitsTurnEnd = false
        deliver()
        work()
    }
}

extension HTTP2Settings {
    /// What a backend may do.
    static func toBackend(_ limits: ProxyLimits) -> HTTP2Settings {
        var settings = HTTP2Settings(.client)
        settings.streamWindow = HTTP2BackendConnection.streamWindow
        settings.connectionWindow = HTTP2BackendConnection.streamWindow * HTTP2BackendConnection.streamsMax
        settings.headBytes = limits.message.requestLine + limits.message.fieldSection
        return settings
    }
}

@available(*, unavailable)
extension HTTP2BackendConnection: Sendable {}
