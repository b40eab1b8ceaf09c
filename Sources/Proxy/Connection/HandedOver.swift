import NIOCore

/// A connection that its handler has let go of, for whoever speaks another protocol on it from here on (RFC 9110,
/// section 7.8). It reads nothing until it is told to.
struct HandedOver {
    let channel: any Channel
    /// What came and nobody took: the first bytes of the other protocol.
    let unread: ByteBuffer
}
