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
    mutating func handOver(_ context: ChannelHandlerContext) -> DetachedConnection {
        pause(context)
        return DetachedConnection(channel: context.channel, unread: held.take() ?? ByteBuffer())
    }

    mutating func pause(_ context: ChannelHandlerContext) {
        guard isReading else { return }
        isReading = false
        try? context.channel.syncOptions?.setOption(.autoRead, value: false)
    }

    mutating func resume(_ context: ChannelHandlerContext) {
        guard !isReading else { return }
        isReading = true
        try? context.channel.syncOptions?.setOption(.autoRead, value: true)
    }
}
