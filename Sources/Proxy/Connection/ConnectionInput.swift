import NIOCore

/// Bytes that one connection has received and that cannot be processed yet, and whether it keeps reading.
struct ConnectionInput {
    /// An incomplete head, an unfinished chunk line, or bytes that the exchange does not want yet.
    private(set) var held: ByteBuffer?
    private var isReading = true

    /// The held bytes followed by `bytes`; nil if nothing was held.
    mutating func joined(with bytes: inout ByteBuffer) -> ByteBuffer? {
        guard var all = held.take() else { return nil }
        all.writeBuffer(&bytes)
        return all
    }

    mutating func take() -> ByteBuffer? { held.take() }

    /// Keeps bytes for later. An empty buffer is not kept.
    mutating func hold(_ bytes: ByteBuffer) {
        held = bytes.readableBytes > 0 ? bytes : nil
    }

    mutating func clear() { held = nil }

    /// Gives the connection to another handler, together with the held bytes.
    mutating func handOver(
        _ context: ChannelHandlerContext, writer: SocketWriter, isClosed: Bool = false
    ) -> DetachedConnection {
        isReading = false
        return DetachedConnection(
            channel: context.channel, unread: held.take() ?? ByteBuffer(), writer: writer, inputIsClosed: isClosed)
    }

    // The channel does not read by itself: each read is asked for here, which costs less than a channel's own reads do.

    /// The channel is active, or has completed a read: asks for the next one, unless reading is paused.
    func read(_ context: ChannelHandlerContext) {
        if isReading { context.read() }
    }

    /// No further read is asked for. One that was asked for before may still come.
    mutating func pause() { isReading = false }

    mutating func resume(_ context: ChannelHandlerContext) {
        guard !isReading else { return }
        isReading = true
        context.read()
    }
}
