import HTTPWire
import NIOCore

/// The head of a request as a backend receives it: the client's own bytes with the edits that proxying needs.
///
/// Hop-by-hop fields and those that Connection names are removed (RFC 9110, section 7.6.1). Forwarding fields of an
/// untrusted peer are replaced; those that a trusted peer sent are kept, and X-Forwarded-For is extended. `Host` names
/// the server that the request is for: with a target in absolute form, the target's authority (RFC 9112, section
/// 3.2.2).
struct UpstreamHead {
    private var head: ByteBuffer
    /// The offset of the Host line, at the end of the head, while the backend is not chosen yet. Nil if the head is
    /// complete.
    private var hostOffset: Int?

    /// An empty head, for an exchange that has none.
    init() {
        head = ByteBuffer()
        hostOffset = nil
    }

    /// Marks fields of the table as removed.
    ///
    /// - Parameters:
    ///   - passHost: whether the backend receives the client's Host; otherwise it receives its own authority.
    ///   - path: replaces the original path, if not nil.
    ///   - edits: the fields that middlewares remove and add. A Host that they set is used for every backend.
    ///   - offer: the protocols to which the backend may switch.
    init(
        _ request: RequestView, passHost: Bool, path: [UInt8]? = nil, edits: FieldEdits? = nil,
        offering offer: UpgradeProtocols = UpgradeProtocols(), into buffer: consuming ByteBuffer
    ) {
        let head = request.head
        let hops = MaxForwards.value(request)
        let edits = edits.flatMap { $0.isEmpty ? nil : $0 }
        let needsHost = (!passHost || head.host == nil) && !(edits?.drops("host") ?? false)
        Self.removeFields(request, keepsHost: passHost, hops: hops, edits)
        let bound = Self.bound(request) + (path?.count ?? 0) + (edits?.lines.count ?? 0) + offer.value.count
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
            if !offer.isEmpty { Self.writeUpgrade(offer, &writer) }
            if !needsHost { writer.write("\r\n") }
        }
        hostOffset = needsHost ? buffer.writerIndex : nil
        self.head = buffer
    }

    /// An upper bound for the head: what was received, what is always added, and the names of the fields that repeat
    /// its values.
    private static func bound(_ request: RequestView) -> Int {
        2 * request.head.length + request.client.lines.count + 256
    }

    /// The bytes to send to a backend of that authority.
    mutating func bytes(authority: @autoclosure () -> String) -> ByteBuffer {
        guard let hostOffset else { return head }
        head.moveWriterIndex(to: hostOffset)
        head.writeStaticString("Host: ")
        head.writeString(authority())
        head.writeStaticString("\r\n\r\n")
        return head
    }

    var isEmpty: Bool { head.readableBytes == 0 }

    mutating func takeBytes() -> ByteBuffer {
        let taken = head
        head = ByteBuffer()
        return taken
    }

    /// Marks the fields that are not forwarded, and those that are written anew.
    private static func removeFields(
        _ request: RequestView, keepsHost: Bool, hops: UInt64?, _ edits: FieldEdits?
    ) {
        let fields = request.fields
        fields.removeHopByHop(in: request.bytes)
        if request.head.version == .http10 { fields.removeAll(.expect) }
        if !keepsHost { fields.removeAll(.host) }
        if hops != nil { MaxForwards.remove(from: request) }
        fields.removeAll(
            in: request.client.isTrusted ? FieldNameSet.forwarding.filter { !request.isPassedOn($0) } : .forwarding)
        guard let edits else { return }
        for index in 0..<fields.count {
            let name = UnsafeRawBufferPointer(rebasing: request.bytes[fields[index].nameRange])
            if edits.dropsSpelling(name) { fields.remove(index) }
        }
    }

    private static func writeUpgrade(_ offer: UpgradeProtocols, _ writer: inout HeadWriter) {
        writer.write("Connection: upgrade\r\nUpgrade: ")
        writer.write(offer.value)
        writer.write("\r\n")
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
