import NIOCore

/// A connection that its handler has released because another protocol continues on it (RFC 9110, section 7.8). It does
/// not read until its new handler asks for a read.
struct DetachedConnection {
    let channel: any Channel
    /// Bytes that were received but not processed: the first bytes of the other protocol.
    let unread: ByteBuffer
    /// Knows of the writes that the channel has not finished.
    let writer: SocketWriter
    /// The peer sends nothing more.
    let inputIsClosed: Bool

    /// Gives the connection to its new handler. From now on each direction ends by itself.
    func become(_ handler: some ChannelHandler) throws {
        try channel.syncOptions?.setOption(.allowRemoteHalfClosure, value: true)
        try channel.pipeline.syncOperations.addHandler(handler)
    }
}
