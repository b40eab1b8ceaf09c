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
        passHost: Bool, into buffer: consuming ByteBuffer
    ) {
        bytes = buffer
        fields.removeHopByHop(in: source)
        Self.writeRequestLine(head, source, &bytes)
        hostOffset = nil
        if !passHost || head.host == nil {
            if let own = fields.first(.host) { fields.remove(own) }
            hostOffset = bytes.writerIndex
        }
        if head.version == .http10, head.expectsContinue, let expect = fields.first(.expect) { fields.remove(expect) }
        if client.isTrusted {
            Self.writeTrusted(head, source, fields, client, &bytes)
        } else {
            Self.writeUntrusted(head, source, fields, client, &bytes)
        }
        bytes.writeStaticString("\r\n")
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
        _ head: RequestHead, _ source: UnsafeRawBufferPointer, _ bytes: inout ByteBuffer
    ) {
        if head.version == .http11, head.authority == nil {
            bytes.writeBytes(source[head.methodRange.lowerBound..<head.fieldsStart])
            return
        }
        bytes.writeBytes(source[head.methodRange])
        bytes.writeStaticString(" ")
        if head.authority == nil {
            bytes.writeBytes(source[head.target])
        } else {
            // Absolute form: the authority equals Host, which is checked with the head; only path and query go on.
            if head.path.isEmpty { bytes.writeStaticString("/") }
            bytes.writeBytes(source[head.path])
            if let query = head.query {
                bytes.writeStaticString("?")
                bytes.writeBytes(source[query])
            }
        }
        bytes.writeStaticString(" HTTP/1.1\r\n")
    }

    private static func writeUntrusted(
        _ head: RequestHead, _ source: UnsafeRawBufferPointer, _ fields: FieldTable, _ client: ClientIdentity,
        _ bytes: inout ByteBuffer
    ) {
        FieldName.forwarding.forEach(fields.removeAll)
        fields.forEachKeptRun { bytes.writeBytes(source[$0]) }
        if !client.address.isEmpty {
            bytes.writeStaticString("X-Forwarded-For: ")
            bytes.writeString(client.address)
            bytes.writeStaticString("\r\n")
        }
        bytes.writeBytes(client.staticLines)
        writeForwardedHost(head, source, &bytes)
    }

    private static func writeTrusted(
        _ head: RequestHead, _ source: UnsafeRawBufferPointer, _ fields: FieldTable, _ client: ClientIdentity,
        _ bytes: inout ByteBuffer
    ) {
        var chain: [UInt8] = []
        while let index = fields.first(.xForwardedFor) {
            let field = fields[index]
            if !chain.isEmpty { chain += ", ".utf8 }
            chain += source[field.valueRange]
            fields.remove(index)
        }
        let isForwarded = fields.first(.xForwardedProto) != nil
        let hasHost = fields.first(.xForwardedHost) != nil
        fields.forEachKeptRun { bytes.writeBytes(source[$0]) }
        bytes.writeStaticString("X-Forwarded-For: ")
        bytes.writeBytes(chain)
        if !chain.isEmpty, !client.address.isEmpty { bytes.writeStaticString(", ") }
        bytes.writeString(client.address)
        bytes.writeStaticString("\r\n")
        if !isForwarded { bytes.writeBytes(client.staticLines) }
        if !hasHost { writeForwardedHost(head, source, &bytes) }
    }

    private static func writeForwardedHost(
        _ head: RequestHead, _ source: UnsafeRawBufferPointer, _ bytes: inout ByteBuffer
    ) {
        guard let host = head.host else { return }
        bytes.writeStaticString("X-Forwarded-Host: ")
        bytes.writeBytes(source[host])
        bytes.writeStaticString("\r\n")
    }
}

extension FieldName {
    /// What says something about the path a request took; believed only from a trusted peer.
    static let forwarding: [FieldName] = [
        .forwarded, .xForwardedFor, .xForwardedHost, .xForwardedProto, .xForwardedPort, .xForwardedServer,
        .xForwardedPrefix, .xForwardedOther, .xRealIP,
    ]
}
