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
        /// Whole Set-Cookie lines, or nothing.
        var setCookie: [UInt8]
        /// What middlewares change. Our own cookies are none of theirs.
        var edits: FieldEdits?
    }

    /// Marks fields of the table as removed.
    static func write(
        _ head: ResponseHead, in source: UnsafeRawBufferPointer, fields: FieldTable, adding additions: Additions,
        into buffer: inout ByteBuffer
    ) {
        fields.removeHopByHop(in: source)
        if additions.dropsChunks, let encoding = fields.first(.transferEncoding) { fields.remove(encoding) }
        additions.edits?.dropped.forEach { name in
            name.withUnsafeBytes { fields.removeAll(named: $0, in: source) }
        }
        let lines = additions.edits?.lines ?? []
        let bound = head.length + lines.count + additions.setCookie.count + 64
        HeadWriter.write(into: &buffer, atMost: bound) { writer in
            writeStatusLine(head, source, &writer)
            fields.forEachKeptRun { writer.write($0, of: source) }
            writer.write(lines)
            writer.write(additions.setCookie)
            if additions.closes {
                writer.write("Connection: close\r\n")
            } else if additions.keepsAlive {
                writer.write("Connection: keep-alive\r\n")
            }
            writer.write("\r\n")
        }
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
        _ head: ResponseHead, _ source: UnsafeRawBufferPointer, _ writer: inout HeadWriter
    ) {
        let version = 8
        writer.write("HTTP/1.1")
        writer.write(head.statusLine.lowerBound + version..<head.fieldsStart, of: source)
    }
}
