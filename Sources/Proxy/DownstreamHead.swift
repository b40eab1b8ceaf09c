import HTTPWire
import NIOCore

/// The head of a response as the client sees it: the backend's own bytes with the edits that proxying needs.
enum DownstreamHead {
    /// What else the head must say.
    struct Additions {
        /// The client connection closes after this response.
        var closes: Bool
        /// The client speaks HTTP/1.0 and asked for the connection to stay.
        var keepsAlive: Bool
        /// The chunked body is sent to the client without its chunks, because HTTP/1.0 does not know them.
        var dropsChunks: Bool
        /// A whole Set-Cookie line, or nothing.
        var setCookie: [UInt8]
    }

    /// Marks fields of the table as removed.
    static func write(
        _ head: ResponseHead, in source: UnsafeRawBufferPointer, fields: FieldTable, adding additions: Additions,
        into buffer: inout ByteBuffer
    ) {
        fields.removeHopByHop(in: source)
        if additions.dropsChunks, let encoding = fields.first(.transferEncoding) { fields.remove(encoding) }
        writeStatusLine(head, source, &buffer)
        fields.forEachKeptRun { buffer.writeBytes(source[$0]) }
        if !additions.setCookie.isEmpty { buffer.writeBytes(additions.setCookie) }
        if additions.closes {
            buffer.writeStaticString("Connection: close\r\n")
        } else if additions.keepsAlive {
            buffer.writeStaticString("Connection: keep-alive\r\n")
        }
        buffer.writeStaticString("\r\n")
    }

    /// An interim response is passed on without its hop-by-hop fields.
    static func writeInterim(
        _ head: ResponseHead, in source: UnsafeRawBufferPointer, fields: FieldTable, into buffer: inout ByteBuffer
    ) {
        let nothing = Additions(closes: false, keepsAlive: false, dropsChunks: false, setCookie: [])
        write(head, in: source, fields: fields, adding: nothing, into: &buffer)
    }

    /// The version is ours (RFC 9112, section 2.3); status and reason are the backend's.
    private static func writeStatusLine(
        _ head: ResponseHead, _ source: UnsafeRawBufferPointer, _ buffer: inout ByteBuffer
    ) {
        let version = 8
        buffer.writeStaticString("HTTP/1.1")
        buffer.writeBytes(source[head.statusLine.lowerBound + version..<head.fieldsStart])
    }
}
