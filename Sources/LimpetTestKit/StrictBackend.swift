import Synchronization

/// A backend that takes HTTP/1.1 in one form alone, and records what comes in another: the last witness of requests
/// that a proxy must not let through, or not in two. Closed with the last reference.
package final class StrictBackend: Sendable {
    /// Text has a character for each byte.
    package struct Request: Sendable {
        package let method: String
        package let target: String
        /// With names in lower case.
        package let fields: [(name: String, value: String)]
        package fileprivate(set) var body: [UInt8] = []
        /// The whole body has arrived.
        package fileprivate(set) var isComplete = false

        package func values(of name: String) -> [String] { fields.filter { $0.name == name }.map(\.value) }
    }

    private let listener: ScriptedBackend
    private let records: Records

    private final class Records: Sendable {
        let requests = Mutex<[Request]>([])
        let faults = Mutex<[String]>([])
    }

    package init() throws {
        let records = Records()
        self.records = records
        listener = try ScriptedBackend { socket, _ in
            var reader = StrictReader(socket)
            do {
                while var request = try reader.head() {
                    let isComplete = try reader.body(of: &request)
                    request.isComplete = isComplete
                    records.requests.withLock { [request] in $0.append(request) }
                    guard isComplete else { return }
                    let body = "served \(request.target)"
                    try socket.send(
                        "HTTP/1.1 200 OK\r\nContent-Length: \(body.utf8.count)\r\n\r\n"
                            + (request.method == "HEAD" ? "" : body))
                }
            } catch let fault as StrictReader.Fault {
                records.faults.withLock { $0.append(fault.description) }
            }
        }
    }

    deinit { listener.close() }

    package var port: Int { listener.port }

    /// The requests since the last call.
    package func takeRequests() -> [Request] {
        records.requests.withLock { requests in
            defer { requests = [] }
            return requests
        }
    }

    /// What was not HTTP/1.1 in its one form, so far.
    package var faults: [String] { records.faults.withLock { $0 } }
}

/// Reads requests from one connection.
private struct StrictReader {
    struct Fault: Error, CustomStringConvertible {
        let description: String
    }

    private let socket: TCPSocket
    private var buffer: [UInt8] = []

    init(_ socket: TCPSocket) { self.socket = socket }

    /// Nil at the end of the connection.
    mutating func head() throws -> StrictBackend.Request? {
        guard let start = try line(mayEnd: true) else { return nil }
        let words = start.split(separator: " ", omittingEmptySubsequences: false).map(String.init)
        guard words.count == 3, words[2] == "HTTP/1.1", Self.isToken(words[0]), !words[1].isEmpty,
            words[1].unicodeScalars.allSatisfy({ $0.value > 0x20 && $0.value != 0x7f })
        else { throw Fault(description: "start line \(start.debugDescription)") }
        let request = try StrictBackend.Request(method: words[0], target: words[1], fields: fields())
        let lengths = request.values(of: "content-length"), codings = request.values(of: "transfer-encoding")
        guard lengths.count + codings.count <= 1, codings.allSatisfy({ $0.lowercased() == "chunked" }),
            lengths.allSatisfy({ Int($0).map(String.init) == $0 && !$0.hasPrefix("-") }),
            request.values(of: "host").count == 1
        else { throw Fault(description: "framing or host of \(request.fields)") }
        return request
    }

    /// Returns whether it is complete.
    mutating func body(of request: inout StrictBackend.Request) throws -> Bool {
        if let length = request.values(of: "content-length").first.flatMap({ Int($0) }) {
            request.body = try bytes(length)
            return request.body.count == length
        }
        guard !request.values(of: "transfer-encoding").isEmpty else { return true }
        while let text = try line(mayEnd: true) {
            guard let size = Int(text, radix: 16), text.allSatisfy(\.isHexDigit) else {
                throw Fault(description: "size of a chunk \(text.debugDescription)")
            }
            if size == 0 {
                _ = try fields()
                return true
            }
            request.body += try bytes(size)
            guard let end = try line(mayEnd: true) else { return false }
            guard end.isEmpty else { throw Fault(description: "end of a chunk \(end.debugDescription)") }
        }
        return false
    }

    private mutating func fields() throws -> [(name: String, value: String)] {
        var fields: [(name: String, value: String)] = []
        while let line = try line(mayEnd: false), !line.isEmpty {
            guard let colon = line.firstIndex(of: ":"), Self.isToken(line[..<colon]),
                line.unicodeScalars.allSatisfy({ ($0.value >= 0x20 && $0.value != 0x7f) || $0 == "\t" })
            else { throw Fault(description: "field line \(line.debugDescription)") }
            var value = line[line.index(after: colon)...].drop { $0 == " " || $0 == "\t" }
            while value.last == " " || value.last == "\t" { value.removeLast() }
            fields.append((line[..<colon].lowercased(), String(value)))
        }
        return fields
    }

    private static func isToken(_ text: some StringProtocol) -> Bool {
        !text.isEmpty
            && text.utf8.allSatisfy { byte in
                switch byte {
                case 0x30...0x39, 0x41...0x5a, 0x61...0x7a: true
                default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
                }
            }
    }

    /// A line without its CRLF.
    private mutating func line(mayEnd: Bool) throws -> String? {
        while true {
            if let end = buffer.firstIndex(of: 0x0a) {
                guard end > 0, buffer[end - 1] == 0x0d else {
                    throw Fault(description: "LF alone after \(text(buffer[..<end]))")
                }
                defer { buffer.removeSubrange(...end) }
                return text(buffer[..<(end - 1)])
            }
            let more = try socket.receive()
            if more.isEmpty {
                guard mayEnd, buffer.isEmpty else { throw Fault(description: "the end after \(text(buffer[...]))") }
                return nil
            }
            buffer += more
        }
    }

    /// Fewer at the end of the connection.
    private mutating func bytes(_ count: Int) throws -> [UInt8] {
        while buffer.count < count {
            guard let more = try? socket.receive(), !more.isEmpty else { break }
            buffer += more
        }
        defer { buffer.removeFirst(min(count, buffer.count)) }
        return Array(buffer.prefix(count))
    }

    private func text(_ bytes: ArraySlice<UInt8>) -> String {
        String(String.UnicodeScalarView(bytes.map { Unicode.Scalar($0) }))
    }
}
