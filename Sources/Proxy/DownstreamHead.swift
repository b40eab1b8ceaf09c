import HTTPWire
import NIOCore

/// The head of a response as an HTTP/1.x client sees it: the backend's own bytes with the edits that proxying needs.
enum DownstreamHead {
    /// Marks fields of the table as removed.
    static func write(
        _ response: ResponseView, _ framing: ResponseFraming, adding additions: ResponseAdditions,
        into buffer: inout ByteBuffer
    ) {
        let (head, source, fields) = (response.head, response.bytes, response.fields)
        fields.removeHopByHop(in: source)
        if framing.removesTransferEncoding, let encoding = fields.first(.transferEncoding) { fields.remove(encoding) }
        additions.edits?.dropped.forEach { name in
            name.withUnsafeBytes { fields.removeAll(named: $0, in: source) }
        }
        let lines = additions.edits?.lines ?? []
        let bound = head.length + lines.count + additions.setCookie.count + 96
        HeadWriter.write(into: &buffer, atMost: bound) { writer in
            writeStatusLine(head, source, &writer)
            fields.forEachKeptRun { writer.write($0, of: source) }
            writer.write(lines)
            writer.write(additions.setCookie)
            if framing.addsTransferEncoding { writer.write("Transfer-Encoding: chunked\r\n") }
            switch framing.connection {
            case .none: break
            case .keepAlive: writer.write("Connection: keep-alive\r\n")
            case .close: writer.write("Connection: close\r\n")
            }
            writer.write("\r\n")
        }
    }

    /// An interim response is passed on without its hop-by-hop fields.
    static func writeInterim(_ response: ResponseView, into buffer: inout ByteBuffer) {
        let nothing = ResponseFraming(
            coding: .plain, addsTransferEncoding: false, removesTransferEncoding: false, connection: .none)
        write(response, nothing, adding: ResponseAdditions(setCookie: []), into: &buffer)
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
