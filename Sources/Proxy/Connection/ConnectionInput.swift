import NIOCore

/// What came in over one connection and nobody could take yet, and whether more is read.
struct ConnectionInput {
    /// A head in part, an unfinished chunk line, bytes that whoever is to have them does not want yet.
    private(set) var held: ByteBuffer?
    private var isReading = true

    /// What was held, with `bytes` behind it; nil where nothing was.
    mutating func joined(with bytes: inout ByteBuffer) -> ByteBuffer? {
        guard var all = held.take() else { return nil }
        all.writeBuffer(&bytes)
        return all
    }

    mutating func take() -> ByteBuffer? { held.take() }

    /// Keeps bytes for later; none are not kept.
    mutating func hold(_ bytes: ByteBuffer) {
        held = bytes.readableBytes > 0 ? bytes : nil
    }

    mutating func clear() { held = nil }

    /// Leaves the connection to another handler, which is to have what was held.
    mutating func handOver(_ context: ChannelHandlerContext) -> HandedOver {
        pause(context)
        return HandedOver(channel: context.channel, unread: held.take() ?? ByteBuffer())
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
