import HTTP2Wire
import NIOCore

/// The body of a request that an HTTP/2 stream receives: what has arrived and was not passed on yet, and what the
/// client may not send again yet. The windows bound both.
struct HTTP2StreamInput {
    private enum End {
        case none
        /// It has arrived, and was not passed on.
        case received(BodyPart.End)
        case passed
    }

    private var content: ByteBuffer?
    /// The content has storage of its own.
    private var isCopied = false
    private var end = End.none
    /// Bytes that count against the client's windows.
    private var unconsumed = 0

    mutating func begin(hasBody: Bool) { end = hasBody ? .none : .passed }

    mutating func takeContent() -> ByteBuffer { content.take() ?? ByteBuffer() }

    /// The request has arrived completely.
    var isComplete: Bool {
        if case .none = end { false } else { true }
    }

    mutating func received(_ bytes: ByteBuffer) {
        unconsumed += bytes.readableBytes
        if content == nil {
            content = bytes
            isCopied = false
        } else {
            content?.writeImmutableBuffer(bytes)
        }
    }

    /// What is kept must not pin the receive buffer of the loop.
    mutating func keepContent(on loop: LoopContext) {
        guard !isCopied, let kept = content else { return }
        content = loop.copy(kept)
        isCopied = true
    }

    mutating func received(_ end: BodyPart.End) { self.end = .received(end) }

    /// What can be passed on. Nil: nothing more for now.
    mutating func next() -> BodyPart? {
        if case .received(let end) = end {
            self.end = .passed
            return BodyPart(content: content.take() ?? ByteBuffer(), end: end)
        }
        return content.take().map { BodyPart(content: $0, end: nil) }
    }

    /// What was passed on is used up: the client may send as much again.
    mutating func consume(_ session: HTTP2Session?, _ stream: Int32) {
        let held = content?.readableBytes ?? 0
        session?.consume(unconsumed - held, of: stream)
        unconsumed = held
    }

    /// Nobody wants the rest.
    mutating func abandon(_ session: HTTP2Session?, _ stream: Int32) {
        content = nil
        consume(session, stream)
    }

    func discard(_ bytes: ByteBuffer, _ session: HTTP2Session?, _ stream: Int32) {
        session?.consume(bytes.readableBytes, of: stream)
    }
}
