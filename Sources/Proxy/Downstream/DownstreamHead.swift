import HTTPWire
import NIOCore

/// The head of a response as an HTTP/1.x client receives it: the backend's own bytes with the edits that proxying
/// needs.
enum DownstreamHead {
    /// Marks fields of the table as removed.
    ///
    /// - Parameter date: the Date line for a response that has none (RFC 9110, section 6.6.1).
    static func write(
        _ response: ResponseView, _ framing: ResponseFraming, adding additions: ResponseAdditions,
        date: () -> [UInt8], into buffer: inout ByteBuffer
    ) {
        let (head, source, fields) = (response.head, response.bytes, response.fields)
        // A 426 names the protocols to upgrade to (RFC 9110, section 15.5.22), and a 101 those of the tunnel.
        fields.removeHopByHop(in: source, keepingUpgrade: head.status == 426 || head.isSwitchingProtocols)
        if framing.removesTransferEncoding { fields.removeAll(.transferEncoding) }
        let lacksDate = fields.first(.date) == nil && !(additions.edits?.mention("date") ?? false)
        additions.edits?.dropped.forEach { name in
            name.withUnsafeBytes { fields.removeAll(named: $0, in: source) }
        }
        let lines = additions.edits?.lines ?? []
        let bound = head.length + lines.count + additions.setCookie.count + 160
        HeadWriter.write(into: &buffer, atMost: bound) { writer in
            writeStatusLine(head, source, &writer)
            fields.forEachKeptRun { writer.write($0, of: source) }
            if lacksDate { writer.write(date()) }
            writer.write(lines)
            writer.write(additions.setCookie)
            if framing.addsTransferEncoding { writer.write("Transfer-Encoding: chunked\r\n") }
            writeConnection(framing.connection, namesUpgrade: fields.first(.upgrade) != nil, &writer)
            writer.write("\r\n")
        }
    }

    /// Forwards an interim response without its hop-by-hop fields; a 101 keeps those that switch protocols.
    static func writeInterim(
        _ response: ResponseView, adding additions: ResponseAdditions = ResponseAdditions(setCookie: []),
        into buffer: inout ByteBuffer
    ) {
        let nothing = ResponseFraming(
            coding: .plain, addsTransferEncoding: false, removesTransferEncoding: false, connection: .none)
        write(response, nothing, adding: additions, date: { [] }, into: &buffer)
    }

    private static func writeConnection(
        _ persistence: ResponseFraming.Persistence, namesUpgrade: Bool, _ writer: inout HeadWriter
    ) {
        if persistence == .none, !namesUpgrade { return }
        writer.write("Connection: ")
        switch persistence {
        case .none: writer.write("upgrade\r\n")
        case .keepAlive: writer.write(namesUpgrade ? "keep-alive, upgrade\r\n" : "keep-alive\r\n")
        case .close: writer.write(namesUpgrade ? "close, upgrade\r\n" : "close\r\n")
        }
    }

    /// The version is Limpet's (RFC 9112, section 2.3); status and reason are the backend's. A backend that speaks
    /// HTTP/2 has no reasons, and some clients rely on one: it gets the usual one. The space before the reason is
    /// required even if there is none (section 4).
    private static func writeStatusLine(
        _ head: ResponseHead, _ source: UnsafeRawBufferPointer, _ writer: inout HeadWriter
    ) {
        let version = 8
        let hasReason = head.statusLine.count > version + 5
        if head.version == .http11, hasReason {
            return writer.write(head.statusLine.lowerBound..<head.fieldsStart, of: source)
        }
        writer.write("HTTP/1.1")
        guard !hasReason else {
            writer.write(head.statusLine.lowerBound + version..<head.statusLine.upperBound, of: source)
            return writer.write("\r\n")
        }
        let status = head.statusLine.lowerBound + version
        writer.write(status..<status + 4, of: source)
        writer.write(text: " \(LocalResponse.reason(head.status))\r\n")
    }
}
