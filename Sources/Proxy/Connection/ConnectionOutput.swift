import NIOCore

/// The output of one HTTP/1.1 connection: gathers heads and small pieces of bodies, so that they leave in one buffer,
/// and frames bodies for the peer.
struct ConnectionOutput {
    enum Coding {
        /// By length, or until the connection closes: the content unchanged.
        case plain
        case chunked
    }

    /// Pieces up to this size are copied into the gathered buffer. A larger piece is sent without a copy: it is worth
    /// the buffer that it keeps alive while the peer is slow.
    static let gatheredMax = 16 * 1024

    /// The framing of the body whose head was written last.
    var coding = Coding.plain
    private var gathered: ByteBuffer?
    /// An object, not a part of this value: its channel may close, and call its handler, in the middle of a write.
    private let writer: SocketWriter

    init(_ writer: SocketWriter) {
        self.writer = writer
    }

    /// Appends a head that `body` writes.
    mutating func writeHead(_ loop: LoopContext, _ body: (inout ByteBuffer) -> Void) {
        var buffer = gathered.take() ?? loop.spareBuffers.take()
        body(&buffer)
        gathered = buffer
    }

    /// Sends a rendered head at once. It keeps the buffer usable, because the head may be sent again.
    mutating func send(_ head: ByteBuffer, _ context: ChannelHandlerContext, _ loop: LoopContext) {
        enqueueGathered(context, loop)
        writer.send(head, context)
    }

    mutating func write(_ content: ByteBuffer, _ context: ChannelHandlerContext, _ loop: LoopContext) {
        let count = content.readableBytes
        guard count > 0 else { return }
        var buffer = gathered.take() ?? loop.spareBuffers.take()
        if coding == .chunked { buffer.writeString("\(String(count, radix: 16))\r\n") }
        if count <= Self.gatheredMax {
            buffer.writeImmutableBuffer(content)
            gathered = buffer
        } else {
            gathered = buffer
            enqueueGathered(context, loop)
            writer.enqueue(content, context)
        }
        if coding == .chunked { writeLineEnd(loop) }
    }

    /// Ends the body.
    /// - Parameter trailers: complete lines; dropped if the coding cannot carry trailers.
    mutating func writeEnd(trailers: [UInt8], _ loop: LoopContext) {
        guard coding == .chunked else { return }
        var buffer = gathered.take() ?? loop.spareBuffers.take()
        buffer.writeStaticString("0\r\n")
        buffer.writeBytes(trailers)
        buffer.writeStaticString("\r\n")
        gathered = buffer
    }

    mutating func flush(_ context: ChannelHandlerContext, _ loop: LoopContext) {
        guard let buffer = gathered.take() else { return writer.flush(context) }
        writer.send(buffer, context)
        loop.spareBuffers.giveBack(buffer)
    }

    private mutating func writeLineEnd(_ loop: LoopContext) {
        var buffer = gathered.take() ?? loop.spareBuffers.take()
        buffer.writeStaticString("\r\n")
        gathered = buffer
    }

    private mutating func enqueueGathered(_ context: ChannelHandlerContext, _ loop: LoopContext) {
        guard let buffer = gathered.take() else { return }
        if buffer.readableBytes > 0 { writer.enqueue(buffer, context) }
        loop.spareBuffers.giveBack(buffer)
    }
}
