import NIOCore

/// What goes out over one HTTP/1.1 connection: gathers heads and small pieces of bodies, so that what belongs together
/// leaves in one buffer, and frames bodies as the peer is to see them.
struct ConnectionOutput {
    enum Coding {
        /// By length, or until the connection closes: the content as it is.
        case plain
        case chunked
    }

    /// Pieces up to this size are copied behind what is gathered. A larger one goes out as it is: it is worth the
    /// buffer that it keeps alive while the peer is slow.
    static let gatheredMax = 16 * 1024

    /// How the body is framed whose head was written last.
    var coding = Coding.plain
    private var gathered: ByteBuffer?

    /// Appends a head, which `body` writes.
    mutating func writeHead(_ loop: LoopContext, _ body: (inout ByteBuffer) -> Void) {
        var buffer = gathered.take() ?? loop.spareBuffers.take()
        body(&buffer)
        gathered = buffer
    }

    /// Sends a head that was rendered before, at once and without taking it over: it may be sent again.
    mutating func send(_ head: ByteBuffer, _ context: ChannelHandlerContext, _ loop: LoopContext) {
        write(context, loop)
        context.writeAndFlush(NIOAny(head), promise: nil)
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
            write(context, loop)
            context.write(NIOAny(content), promise: nil)
        }
        if coding == .chunked { writeLineEnd(loop) }
    }

    /// Ends the body.
    /// - Parameter trailers: whole lines; they are lost where the coding has no place for them.
    mutating func writeEnd(trailers: [UInt8], _ loop: LoopContext) {
        guard coding == .chunked else { return }
        var buffer = gathered.take() ?? loop.spareBuffers.take()
        buffer.writeStaticString("0\r\n")
        buffer.writeBytes(trailers)
        buffer.writeStaticString("\r\n")
        gathered = buffer
    }

    mutating func flush(_ context: ChannelHandlerContext, _ loop: LoopContext) {
        guard let buffer = gathered.take() else { return context.flush() }
        context.writeAndFlush(NIOAny(buffer), promise: nil)
        loop.spareBuffers.giveBack(buffer)
    }

    private mutating func writeLineEnd(_ loop: LoopContext) {
        var buffer = gathered.take() ?? loop.spareBuffers.take()
        buffer.writeStaticString("\r\n")
        gathered = buffer
    }

    private mutating func write(_ context: ChannelHandlerContext, _ loop: LoopContext) {
        guard let buffer = gathered.take() else { return }
        if buffer.readableBytes > 0 { context.write(NIOAny(buffer), promise: nil) }
        loop.spareBuffers.giveBack(buffer)
    }
}
