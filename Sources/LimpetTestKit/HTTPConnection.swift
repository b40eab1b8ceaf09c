/// A request as a test writes it. `Host` is added, and `Content-Length` if there is a body.
package struct HTTPRequest: Sendable {
    package var method: String
    package var target: String
    package var fields: [String: String]
    package var body: [UInt8]?
    package var host: String

    package init(
        _ method: String = "GET", _ target: String = "/", fields: [String: String] = [:], body: [UInt8]? = nil,
        host: String = "test.example"
    ) {
        self.method = method
        self.target = target
        self.fields = fields
        self.body = body
        self.host = host
    }

    package var bytes: [UInt8] {
        var head = "\(method) \(target) HTTP/1.1\r\nHost: \(host)\r\n"
        for (name, value) in fields.sorted(by: { $0.key < $1.key }) { head += "\(name): \(value)\r\n" }
        if let body { head += "Content-Length: \(body.count)\r\n" }
        return Array((head + "\r\n").utf8) + (body ?? [])
    }
}

/// A response as received.
package struct HTTPResponse: Sendable {
    package let status: Int
    package let fields: [(name: String, value: String)]
    package internal(set) var body: [UInt8] = []

    /// The value of the first field of that name; case-insensitive.
    package subscript(_ name: String) -> String? {
        let name = name.lowercased()
        return fields.first { $0.name.lowercased() == name }?.value
    }

    /// The values of all fields of that name; case-insensitive.
    package func values(of name: String) -> [String] {
        let name = name.lowercased()
        return fields.filter { $0.name.lowercased() == name }.map(\.value)
    }

    package var text: String { String(decoding: body, as: UTF8.self) }

    init?(head: String) {
        var lines = head.split(separator: "\r\n")
        let words = lines.isEmpty ? [] : lines.removeFirst().split(separator: " ")
        guard words.count >= 2, words[0] == "HTTP/1.1", let status = Int(words[1]) else { return nil }
        self.status = status
        fields = lines.compactMap { line in
            guard let colon = line.firstIndex(of: ":") else { return nil }
            let value = line[line.index(after: colon)...].drop { $0 == " " }
            return (String(line[..<colon]), String(value))
        }
    }
}

/// A blocking HTTP/1.1 client connection to a port of 127.0.0.1, for one thread.
package final class HTTPConnection {
    package struct Malformed: Error, CustomStringConvertible {
        package let description: String
    }

    package let socket: TCPSocket
    private var buffer: [UInt8] = []

    /// - Parameters:
    ///   - timeout: the timeout of each read and write, in seconds.
    ///   - host: the last number of the source address 127.0.0.`host`; nil: chosen by the kernel.
    package init(port: Int, timeout: Int = 10, from host: UInt8? = nil) throws {
        socket = try TCPSocket(port: port, timeout: timeout, from: host)
    }

    package func send(_ request: HTTPRequest) throws {
        try socket.send(request.bytes)
    }

    /// The next complete response. Interim responses are skipped.
    package func receive() throws -> HTTPResponse {
        while true {
            var response = try receiveHead()
            guard response.status >= 200 else { continue }
            if let length = response["Content-Length"].flatMap(Int.init) {
                response.body = try take(length)
            } else if response["Transfer-Encoding"]?.lowercased() == "chunked" {
                response.body = try takeChunks()
            } else if response.status != 204, response.status != 304 {
                response.body = try buffer + socket.receiveAll()
                buffer = []
            }
            return response
        }
    }

    /// The head of the next response; `receiveBody` returns what follows.
    package func receiveHead() throws -> HTTPResponse {
        let head = try line(endingIn: "\r\n\r\n")
        guard let response = HTTPResponse(head: head) else { throw Malformed(description: "no response: \(head)") }
        return response
    }

    /// The next bytes of a body as they arrive; empty at the end of the stream.
    package func receiveBody() throws -> [UInt8] {
        guard buffer.isEmpty else {
            defer { buffer = [] }
            return buffer
        }
        return try socket.receive()
    }

    package func exchange(_ request: HTTPRequest) throws -> HTTPResponse {
        try send(request)
        return try receive()
    }

    private func takeChunks() throws -> [UInt8] {
        var body: [UInt8] = []
        while true {
            let size = try line(endingIn: "\r\n").prefix { $0.isHexDigit }
            guard let count = Int(size, radix: 16) else { throw Malformed(description: "no chunk size") }
            body += try take(count)
            _ = try take(2)
            if count == 0 { return body }
        }
    }

    private func take(_ count: Int) throws -> [UInt8] {
        while buffer.count < count { try more() }
        defer { buffer.removeFirst(count) }
        return Array(buffer[..<count])
    }

    private func line(endingIn ending: String) throws -> String {
        let ending = Array(ending.utf8)
        var searched = 0
        while true {
            while searched + ending.count <= buffer.count {
                if buffer[searched..<searched + ending.count].elementsEqual(ending) {
                    return String(decoding: try take(searched + ending.count), as: UTF8.self)
                }
                searched += 1
            }
            try more()
        }
    }

    private func more() throws {
        let bytes = try socket.receive()
        guard !bytes.isEmpty else { throw Malformed(description: "the stream ended within a response") }
        buffer += bytes
    }
}
