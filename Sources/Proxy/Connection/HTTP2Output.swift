import HTTP2Wire
import NIOCore

/// The bytes that an HTTP/2 session gives out, gathered so that they leave in few writes.
///
/// An object, because the session calls back while it is being asked.
final class HTTP2Output {
    /// About how many bytes leave in one write.
    private static let size = 64 * 1024

    private var gathered = ByteBuffer()
    private let writer: SocketWriter

    init(_ writer: SocketWriter) {
        self.writer = writer
    }

    /// Sends what the session has, as far as the channel takes it.
    ///
    /// - Parameter context: asked before each write, which may close the channel; nil: it has closed.
    /// - Returns: false if the channel takes nothing more for now.
    @discardableResult
    func send(_ session: HTTP2Session, on loop: LoopContext, context: () -> ChannelHandlerContext?) -> Bool {
        var isWritable = true
        while let context = context() {
            isWritable = context.channel.isWritable
            guard isWritable, fill(session, loop) else { break }
            writer.send(gathered, context)
        }
        if gathered.capacity > 0 { loop.spareBuffers.giveBack(gathered) }
        gathered = ByteBuffer()
        return isWritable
    }

    /// Returns false if there is nothing to send.
    private func fill(_ session: HTTP2Session, _ loop: LoopContext) -> Bool {
        if gathered.capacity == 0 { gathered = loop.spareBuffers.take() } else { gathered.clear() }
        var hasMore = true
        while hasMore, gathered.readableBytes < Self.size {
            hasMore = session.nextOutput { gathered.writeBytes($0) }
        }
        return gathered.readableBytes > 0
    }

    /// The next bytes, from within the session's event: a frame's head, and the content that `body` adds.
    func write<Result>(after frameHead: UnsafeRawBufferPointer, _ body: (inout ByteBuffer) -> Result) -> Result {
        gathered.writeBytes(frameHead)
        return body(&gathered)
    }
}

@available(*, unavailable)
extension HTTP2Output: Sendable {}
