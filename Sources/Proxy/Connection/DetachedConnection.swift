import NIOCore

/// A connection that its handler has released because another protocol continues on it (RFC 9110, section 7.8). It does
/// not read until its new handler enables reading.
struct DetachedConnection {
    let channel: any Channel
    /// Bytes that were received but not processed: the first bytes of the other protocol.
    let unread: ByteBuffer
}
