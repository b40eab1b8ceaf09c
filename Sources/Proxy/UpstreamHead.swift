import HTTPWire
import NIOCore

/// The head of a request as a backend sees it: the client's own bytes with the edits that proxying needs.
///
/// Hop-by-hop fields and those that Connection names go (RFC 9110, section 7.6.1). X-Forwarded-*, X-Real-Ip and
/// Forwarded of an untrusted peer are replaced, those of a trusted one kept and X-Forwarded-For extended.
struct UpstreamHead {
    private(set) var bytes: ByteBuffer
    /// Where a Host line belongs that depends on the backend, which is not chosen yet; nil where the client's is kept.
    private var hostOffset: Int?

    /// An empty one, for an exchange that has none.
    init() {
        bytes = ByteBuffer()
        hostOffset = nil
    }

    /// Marks fields of the table as removed.
    init(
        _ head: RequestHead, in source: UnsafeRawBufferPointer, fields: FieldTable, client: ClientIdentity,
        passHost: Bool, run: MiddlewareRun? = nil, into buffer: consuming ByteBuffer
    ) {
        fields.removeHopByHop(in: source)
        if head.version == .http10, let expect = fields.first(.expect) { fields.remove(expect) }
        let needsHost = !passHost || head.host == nil
        if needsHost, let own = fields.first(.host) { fields.remove(own) }
        var hostOffset = 0
        let path = run?.path
        HeadWriter.write(into: &buffer, atMost: Self.bound(head, client) + (path?.count ?? 0)) { writer in
            Self.writeRequestLine(head, source, path: path, &writer)
            hostOffset = writer.count
            if client.isTrusted {
                Self.writeTrusted(head, source, fields, client, &writer)
            } else {
                Self.writeUntrusted(head, source, fields, client, &writer)
            }
            writer.write("\r\n")
        }
        self.hostOffset = needsHost ? hostOffset : nil
        bytes = buffer
        if let edits = run?.edits, !edits.isEmpty { apply(edits) }
    }

    /// Takes away and adds what middlewares want; a Host of theirs is that of every backend.
    private mutating func apply(_ edits: FieldEdits) {
        if edits.drops("host") { hostOffset = nil }
        let lines = edits.lines
        var edited = ByteBufferAllocator().buffer(capacity: bytes.readableBytes + lines.count)
        bytes.withUnsafeReadableBytes { head in
            var start = head.startIndex
            var isRequestLine = true
            while let feed = head[start...].firstIndex(of: UInt8(ascii: "\n")) {
                let line = head[start...feed]
                start = feed + 1
                if line.count == 2 { edited.writeBytes(lines) }
                let name = line.prefix { $0 != UInt8(ascii: ":") }
                if isRequestLine || !edits.dropsSpelling(name) {
                    edited.writeBytes(UnsafeRawBufferPointer(rebasing: line))
                }
                isRequestLine = false
            }
        }
        bytes = edited
    }

    /// No head is longer than what came, what is always added, and the names of the fields that repeat its values.
    private static func bound(_ head: RequestHead, _ client: ClientIdentity) -> Int {
        2 * head.length + client.forwardedForLine.count + client.realIPLine.count + client.routeLines.count + 256
    }

    /// The bytes to send to a backend of that authority.
    func bytes(authority: String) -> ByteBuffer {
        guard let hostOffset, let before = bytes.getSlice(at: bytes.readerIndex, length: hostOffset),
            let after = bytes.getSlice(at: hostOffset, length: bytes.writerIndex - hostOffset)
        else { return bytes }
        var whole = before
        whole.writeString("Host: \(authority)\r\n")
        whole.writeImmutableBuffer(after)
        return whole
    }

    mutating func takeBytes() -> ByteBuffer {
        let taken = bytes
        bytes = ByteBuffer()
        return taken
    }

    private static func writeRequestLine(
        _ head: RequestHead, _ source: UnsafeRawBufferPointer, path: [UInt8]?, _ writer: inout HeadWriter
    ) {
        if head.version == .http11, head.authority == nil, path == nil {
            writer.write(head.methodRange.lowerBound..<head.fieldsStart, of: source)
            return
        }
        writer.write(head.methodRange, of: source)
        writer.write(" ")
        if head.authority == nil, path == nil {
            writer.write(head.target, of: source)
        } else {
            // Absolute form: the authority equals Host, which is checked with the head; only path and query go on.
            if let path {
                writer.write(path)
            } else {
                if head.path.isEmpty { writer.write("/") }
                writer.write(head.path, of: source)
            }
            if let query = head.query {
                writer.write("?")
                writer.write(query, of: source)
            }
        }
        writer.write(" HTTP/1.1\r\n")
    }

    private static func writeUntrusted(
        _ head: RequestHead, _ source: UnsafeRawBufferPointer, _ fields: FieldTable, _ client: ClientIdentity,
        _ writer: inout HeadWriter
    ) {
        FieldName.forwarding.forEach(fields.removeAll)
        fields.forEachKeptRun { writer.write($0, of: source) }
        writer.write(client.forwardedForLine)
        writer.write(client.realIPLine)
        writer.write(client.routeLines)
        writeForwardedHost(head, source, &writer)
    }

    private static func writeTrusted(
        _ head: RequestHead, _ source: UnsafeRawBufferPointer, _ fields: FieldTable, _ client: ClientIdentity,
        _ writer: inout HeadWriter
    ) {
        var chain: [UInt8] = []
        while let index = fields.first(.xForwardedFor) {
            let field = fields[index]
            if !chain.isEmpty { chain += ", ".utf8 }
            chain += source[field.valueRange]
            fields.remove(index)
        }
        let hasRealIP = fields.first(.xRealIP) != nil
        let hasRoute = fields.first(.xForwardedProto) != nil
        let hasHost = fields.first(.xForwardedHost) != nil
        fields.forEachKeptRun { writer.write($0, of: source) }
        writer.write("X-Forwarded-For: ")
        writer.write(chain)
        if !chain.isEmpty, !client.address.isEmpty { writer.write(", ") }
        writer.write(Array(client.address.utf8))
        writer.write("\r\n")
        if !hasRealIP { writer.write(client.realIPLine) }
        if !hasRoute { writer.write(client.routeLines) }
        if !hasHost { writeForwardedHost(head, source, &writer) }
    }

    private static func writeForwardedHost(
        _ head: RequestHead, _ source: UnsafeRawBufferPointer, _ writer: inout HeadWriter
    ) {
        guard let host = head.host else { return }
        writer.write("X-Forwarded-Host: ")
        writer.write(host, of: source)
        writer.write("\r\n")
    }
}

extension FieldName {
    /// What says something about the path a request took; believed only from a trusted peer.
    static let forwarding: [FieldName] = [
        .forwarded, .xForwardedFor, .xForwardedHost, .xForwardedProto, .xForwardedPort, .xForwardedServer,
        .xForwardedPrefix, .xForwardedOther, .xRealIP,
    ]

    var isForwarding: Bool { self != .other && Self.forwarding.contains(self) }
}
