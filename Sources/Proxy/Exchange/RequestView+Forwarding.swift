import HTTPWire

/// The forwarding fields that a backend is told. Rules and session keys see the same: what is looked up and what is
/// written is decided here.
extension RequestView {
    /// Whether the peer is trusted and says the field itself: then it is kept, and nothing of ours added (but to
    /// X-Forwarded-For). X-Forwarded-Server is ours always, as with Traefik.
    func isTold(_ name: FieldName) -> Bool {
        guard client.isTrusted, name != .xForwardedServer, let index = fields.first(name) else {
            return false
        }
        return !fields[index].valueRange.isEmpty
    }

    /// Whether what the peer sent in a forwarding field goes on as it came. X-Forwarded-For is written anew.
    func isPassedOn(_ name: FieldName) -> Bool {
        switch name {
        case .xForwardedFor: false
        case .xForwardedHost, .xForwardedProto, .xForwardedPort, .xForwardedServer, .xRealIP: isTold(name)
        default: client.isTrusted
        }
    }

    /// Calls `body` with what we say in a forwarding field; nil: nothing.
    func withOurs<Result>(_ name: FieldName, _ body: (UnsafeRawBufferPointer?) -> Result) -> Result {
        switch name {
        case .xForwardedHost: body(host.isEmpty ? nil : host)
        case .xForwardedPort: withPort { body($0) }
        default: client.withValue(of: name, body)
        }
    }

    /// The port of the host that the request names, else that of the scheme: where a client of the outermost proxy
    /// finds us, as Traefik has it, not where we listen.
    private func withPort<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        let host = host
        var start = host.count
        while start > 0, host[start &- 1] &- UInt8(ascii: "0") < 10 { start &-= 1 }
        if start > 0, start < host.count, host[start &- 1] == UInt8(ascii: ":") {
            return body(UnsafeRawBufferPointer(rebasing: host[start...]))
        }
        let port: StaticString = isSecure ? "443" : "80"
        return body(UnsafeRawBufferPointer(start: port.utf8Start, count: port.utf8CodeUnitCount))
    }

    /// Whether a trusted peer says that the request came to it by TLS. What middlewares do with the field is theirs.
    private var isSecure: Bool {
        guard client.isTrusted,
            let index = (0..<fields.count).first(where: { fields[$0].name == .xForwardedProto })
        else { return false }
        let scheme = bytes[fields[index].valueRange]
        return scheme.elementsEqual("https".utf8) || scheme.elementsEqual("wss".utf8)
    }

    // MARK: Writing

    /// Writes the lines of ours, but for those that middlewares take away. What is passed on has been written, and all
    /// else of these names marked as removed.
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

    /// X-Forwarded-For: what a trusted peer says of those before it, and its address.
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
        writer.write("X-Forwarded-Port: ")
        withPort { writer.write($0) }
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
    /// What says something about the path a request took; believed only from a trusted peer.
    static let forwarding: [FieldName] = [
        .forwarded, .xForwardedFor, .xForwardedHost, .xForwardedProto, .xForwardedPort, .xForwardedServer,
        .xForwardedPrefix, .xForwardedOther, .xRealIP,
    ]

    var isForwarding: Bool { self != .other && Self.forwarding.contains(self) }
}
