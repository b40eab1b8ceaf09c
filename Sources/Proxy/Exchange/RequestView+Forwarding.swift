import HTTPWire

/// The forwarding fields that a backend receives. Rules and session keys see the same values: this extension decides
/// both what is looked up and what is written.
extension RequestView {
    /// Whether the peer is trusted and sent the field itself: then it is kept, and we add nothing (except to
    /// X-Forwarded-For). X-Forwarded-Server is always ours, as with Traefik.
    func isTold(_ name: FieldName) -> Bool {
        guard client.isTrusted, name != .xForwardedServer, let index = fields.first(name) else {
            return false
        }
        return !fields[index].valueRange.isEmpty
    }

    /// Whether the peer's value of a forwarding field is forwarded unchanged. X-Forwarded-For is always rewritten.
    func isPassedOn(_ name: FieldName) -> Bool {
        switch name {
        case .xForwardedFor: false
        case .xForwardedHost, .xForwardedProto, .xForwardedPort, .xForwardedServer, .xRealIP: isTold(name)
        default: client.isTrusted
        }
    }

    /// Calls `body` with our own value of a forwarding field; nil if we send none.
    func withOurs<Result>(_ name: FieldName, _ body: (UnsafeRawBufferPointer?) -> Result) -> Result {
        switch name {
        case .xForwardedHost: body(host.isEmpty ? nil : host)
        case .xForwardedPort: withPort { body($0) }
        default: client.withValue(of: name, body)
        }
    }

    /// The port in the request's host, otherwise the default port of the scheme: the port at which clients reach the
    /// outermost proxy, as in Traefik, not the port that we listen on.
    private func withPort<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        if let portOfHost { return body(portOfHost) }
        let port: StaticString = isSecure ? "443" : "80"
        return body(UnsafeRawBufferPointer(start: port.utf8Start, count: port.utf8CodeUnitCount))
    }

    private var portOfHost: UnsafeRawBufferPointer? {
        let host = host
        var start = host.count
        while start > 0, host[start &- 1] &- UInt8(ascii: "0") < 10 { start &-= 1 }
        guard start > 0, start < host.count, host[start &- 1] == UInt8(ascii: ":") else { return nil }
        return UnsafeRawBufferPointer(rebasing: host[start...])
    }

    /// Whether a trusted peer reports that it received the request over TLS, or we did. Changes by middlewares do not
    /// count.
    private var isSecure: Bool {
        guard client.isTrusted,
            let index = (0..<fields.count).first(where: { fields[$0].name == .xForwardedProto })
        else { return client.tls != nil }
        let scheme = bytes[fields[index].valueRange]
        return scheme.elementsEqual("https".utf8) || scheme.elementsEqual("wss".utf8)
    }

    // MARK: Writing

    /// Writes our own lines, except those that middlewares remove. Fields that are forwarded have been written already,
    /// and all others of these names have been marked as removed.
    func writeForwarding(_ edits: FieldEdits?, _ writer: inout HeadWriter) {
        guard client.isTrusted || edits != nil else {
            writer.write(client.lines)
            writePort(&writer)
            writeHost(&writer)
            return
        }
        func isOurs(_ name: FieldName) -> Bool { !isTold(name) && !(edits?.dropsSpelling(name) ?? false) }
        if !(edits?.dropsSpelling(.xForwardedFor) ?? false) { writeChain(&writer) }
        for name in [FieldName.xRealIP, .xForwardedProto, .xForwardedServer] where isOurs(name) {
            writer.write(client.line(of: name))
        }
        if isOurs(.xForwardedPort) { writePort(&writer) }
        if isOurs(.xForwardedHost) { writeHost(&writer) }
    }

    /// X-Forwarded-For: the addresses that a trusted peer reports, followed by the peer's own address.
    private func writeChain(_ writer: inout HeadWriter) {
        var isFirst = true
        func writeSeparator() {
            writer.write(isFirst ? "X-Forwarded-For: " : ", ")
            isFirst = false
        }
        for index in 0..<fields.count where client.isTrusted && fields[index].name == .xForwardedFor {
            let value = fields[index].valueRange
            guard !value.isEmpty else { continue }
            writeSeparator()
            writer.write(value, of: bytes)
        }
        client.withValue(of: .xForwardedFor) { address in
            guard let address else { return }
            writeSeparator()
            writer.write(address)
        }
        if !isFirst { writer.write("\r\n") }
    }

    private func writePort(_ writer: inout HeadWriter) {
        guard let portOfHost else {
            return writer.write(isSecure ? "X-Forwarded-Port: 443\r\n" : "X-Forwarded-Port: 80\r\n")
        }
        writer.write("X-Forwarded-Port: ")
        writer.write(portOfHost)
        writer.write("\r\n")
    }

    private func writeHost(_ writer: inout HeadWriter) {
        let host = host
        guard !host.isEmpty else { return }
        writer.write("X-Forwarded-Host: ")
        writer.write(host)
        writer.write("\r\n")
    }
}

extension FieldEdits {
    fileprivate func dropsSpelling(_ name: FieldName) -> Bool {
        dropsSpelling(UnsafeBufferPointer(start: name.lowercase.utf8Start, count: name.lowercase.utf8CodeUnitCount))
    }
}

extension FieldName {
    /// Whether the field describes the path of a request; such a field is believed only from a trusted peer.
    var isForwarding: Bool { FieldNameSet.forwarding.contains(self) }
}

extension RequestView {
    /// Whether TE names trailers (RFC 9110, section 10.1.4).
    var acceptsTrailers: Bool {
        var index = fields.first(.te)
        while let found = index {
            let elements = bytes[fields[found].valueRange].split(separator: UInt8(ascii: ","))
            if elements.contains(where: Self.isTrailers) { return true }
            index = fields.next(.te, after: found)
        }
        return false
    }

    private static func isTrailers(_ element: Slice<UnsafeRawBufferPointer>) -> Bool {
        let words = element.split { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
        return words.count == 1 && words[0].map { $0 | 0x20 }.elementsEqual("trailers".utf8)
    }
}
