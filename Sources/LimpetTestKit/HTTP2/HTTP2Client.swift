package import HTTP2Wire

/// An HTTP/2 client on a blocking socket, for tests. It sends and reads when it is told to.
package final class HTTP2Client {
    /// What has arrived on one stream.
    package struct Response: Equatable {
        package var interim: [String] = []
        /// In the form of HTTP/1.1; empty before it has arrived.
        package var head = ""
        package var body: [UInt8] = []
        package var trailers = ""
        /// The response is complete.
        package var isComplete = false
        /// With which error the stream was closed (RFC 9113, section 7); nil while it is open.
        package var error: UInt32?

        package var status: Int { Int(head.split(separator: " ").dropFirst().first ?? "") ?? 0 }
        package var text: String { String(decoding: body, as: UTF8.self) }

        /// The values of the field, in order.
        package func values(of name: String) -> [String] {
            head.split(separator: "\r\n").compactMap { line in
                line.hasPrefix("\(name): ") ? String(line.dropFirst(name.utf8.count + 2)) : nil
            }
        }
    }

    package let socket: TCPSocket
    package let side: HTTP2Side
    private var responses: [Int32: Response] = [:]
    private var goAways: [Int32] = []
    private var hasEnded = false
    /// Content counts against the windows until the test consumes it, unless this is true.
    package var consumes = true

    /// Connects, and sends the preface.
    package init(port: Int, _ settings: HTTP2Settings = HTTP2Settings(.client)) throws {
        socket = try TCPSocket(port: port)
        side = HTTP2Side(settings)
        try flush()
    }

    package func flush() throws {
        let bytes = side.takeOutput()
        if !bytes.isEmpty { try socket.send(bytes) }
    }

    /// Sends a request; nil: the connection takes no more.
    ///
    /// - Parameters:
    ///   - fields: further lines, each with its end.
    ///   - body: nil: none. Otherwise content that ``send(_:on:ends:)`` may continue.
    package func send(
        _ method: String = "GET", _ path: String = "/", _ fields: String = "", body: String? = nil, ends: Bool = true
    ) throws -> Int32? {
        let head = "\(method) \(path) HTTP/1.1\r\nHost: h\r\n\(fields)\r\n"
        guard let stream = side.send(request: head, ends: body == nil && ends) else { return nil }
        if let body { try send(Array(body.utf8), on: stream, ends: ends) } else { try flush() }
        return stream
    }

    package func send(_ content: [UInt8], on stream: Int32, ends: Bool) throws {
        side.content[stream, default: []] += content
        if ends { side.complete.insert(stream) }
        side.session.resume(stream)
        try flush()
    }

    package func reset(_ stream: Int32) throws {
        side.session.reset(stream, HTTP2ErrorCode.cancel)
        try flush()
    }

    package func consume(_ count: Int, of stream: Int32) throws {
        side.session.consume(count, of: stream)
        try flush()
    }

    /// What has arrived so far.
    package subscript(_ stream: Int32) -> Response { responses[stream] ?? Response() }

    /// The last streams that the server has named in GOAWAY frames.
    package var announcedEnds: [Int32] { goAways }

    /// The server has closed the connection.
    package var isClosed: Bool { hasEnded }

    /// Reads once. Throws if nothing arrives in the socket's time.
    package func read() throws {
        let bytes = try socket.receive()
        if bytes.isEmpty { hasEnded = true } else { side.receive(bytes) }
        for event in side.takeEvents() { take(event) }
        try? flush()
    }

    /// Reads until the response is complete, or its stream or the connection is closed.
    package func response(to stream: Int32) throws -> Response {
        try read(until: { self[stream].isComplete || self[stream].error != nil })
        return self[stream]
    }

    /// Reads until the condition holds, or the connection is closed.
    package func read(until condition: () -> Bool) throws {
        while !condition(), !hasEnded { try read() }
    }

    private func take(_ event: HTTP2Side.Event) {
        switch event {
        case .head(let stream, let head, let ends):
            if head.hasPrefix("HTTP/1.1 1") {
                responses[stream, default: Response()].interim.append(head)
            } else {
                responses[stream, default: Response()].head = head
                if ends { responses[stream]?.isComplete = true }
            }
        case .content(let stream, let content):
            responses[stream, default: Response()].body += content
            if consumes { side.session.consume(content.count, of: stream) }
        case .end(let stream, let trailers):
            responses[stream, default: Response()].trailers = trailers
            responses[stream]?.isComplete = true
        case .closed(let stream, let error):
            responses[stream, default: Response()].error = error
        case .goAway(let last, _):
            goAways.append(last)
        case .refusedHead:
            break
        }
    }
}
