import HTTPWire
import NIOCore

/// The head of a request as a backend sees it: the client's own bytes with the edits that proxying needs.
///
/// Hop-by-hop fields and those that Connection names go (RFC 9110, section 7.6.1). Forwarding fields of an untrusted
/// peer are replaced; of a trusted one each that it sent is kept, and X-Forwarded-For extended. `Host` is whom the
/// request is for: of a target in absolute form the target's authority (RFC 9112, section 3.2.2).
struct UpstreamHead {
    private var head: ByteBuffer
    /// Where the Host line of the backend belongs, which is not chosen yet: at the end. Nil where the head is whole.
    private var hostOffset: Int?

    /// An empty one, for an exchange that has none.
    init() {
        head = ByteBuffer()
        hostOffset = nil
    }

    /// Marks fields of the table as removed.
    ///
    /// - Parameters:
    ///   - passHost: whether the backend is told whom the request is for; else it is told its own authority.
    ///   - path: in place of the path as it came.
    ///   - edits: what middlewares take away and add. A Host of theirs is that of every backend.
    init(
        _ request: RequestView, passHost: Bool, path: [UInt8]? = nil, edits: FieldEdits? = nil,
        into buffer: consuming ByteBuffer
    ) {
        let head = request.head
        let hops = MaxForwards.value(request)
        let edits = edits.flatMap { $0.isEmpty ? nil : $0 }
        let needsHost = (!passHost || head.host == nil) && !(edits?.drops("host") ?? false)
        Self.removeFields(request, keepsHost: passHost, hops: hops, edits)
        let bound = Self.bound(request) + (path?.count ?? 0) + (edits?.lines.count ?? 0)
        HeadWriter.write(into: &buffer, atMost: bound) { writer in
            Self.writeRequestLine(request, path: path, &writer)
            if passHost, let authority = head.authority, !(edits?.drops("host") ?? false) {
                writer.write("Host: ")
                writer.write(authority, of: request.bytes)
                writer.write("\r\n")
            }
            request.fields.forEachKeptRun { writer.write($0, of: request.bytes) }
            request.writeForwarding(edits, &writer)
            if let hops, !(edits?.drops("max-forwards") ?? false) {
                writer.write(text: "Max-Forwards: \(max(hops, 1) - 1)\r\n")
            }
            if let edits { writer.write(edits.lines) }
            if !needsHost { writer.write("\r\n") }
        }
        hostOffset = needsHost ? buffer.writerIndex : nil
        self.head = buffer
    }

    /// No head is longer than what came, what is always added, and the names of the fields that repeat its values.
    private static func bound(_ request: RequestView) -> Int {
        2 * request.head.length + request.client.lines.count + 256
    }

    /// The bytes to send to a backend of that authority.
    mutating func bytes(authority: String) -> ByteBuffer {
        guard let hostOffset else { return head }
        head.moveWriterIndex(to: hostOffset)
        head.writeStaticString("Host: ")
        head.writeString(authority)
        head.writeStaticString("\r\n\r\n")
        return head
    }

    var isEmpty: Bool { head.readableBytes == 0 }

    mutating func takeBytes() -> ByteBuffer {
        let taken = head
        head = ByteBuffer()
        return taken
    }

    /// Marks what does not go on, and what is written anew.
    private static func removeFields(
        _ request: RequestView, keepsHost: Bool, hops: UInt64?, _ edits: FieldEdits?
    ) {
        let fields = request.fields
        fields.removeHopByHop(in: request.bytes)
        if request.head.version == .http10 { fields.removeAll(.expect) }
        if !keepsHost { fields.removeAll(.host) }
        if hops != nil { MaxForwards.remove(from: request) }
        for name in FieldName.forwarding where !request.client.isTrusted || !request.isPassedOn(name) {
            fields.removeAll(name)
        }
        guard let edits else { return }
        for index in 0..<fields.count {
            let name = UnsafeRawBufferPointer(rebasing: request.bytes[fields[index].nameRange])
            if edits.dropsSpelling(name) { fields.remove(index) }
        }
    }

    private static func writeRequestLine(_ request: RequestView, path: [UInt8]?, _ writer: inout HeadWriter) {
        let (head, source) = (request.head, request.bytes)
        if head.version == .http11, head.authority == nil, path == nil {
            writer.write(head.methodRange.lowerBound..<head.fieldsStart, of: source)
            return
        }
        writer.write(head.methodRange, of: source)
        writer.write(" ")
        if let path { writer.write(path) } else { writer.write(request.pathToSend) }
        if let query = head.query {
            writer.write("?")
            writer.write(query, of: source)
        }
        writer.write(" HTTP/1.1\r\n")
    }
}
