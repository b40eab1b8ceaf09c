import LimpetTestKit

#if canImport(Glibc)
import Glibc
#endif

/// Asks for thousands of sessions in little time: batches of requests on a few connections to each replica. The
/// requests are `HEAD`, so that responses are heads alone.
struct SessionSweep: Sendable {
    struct Answer: Sendable {
        let status: Int
        /// The name that the backend gives in `X-Backend`; empty if it gives none.
        let backend: String
        /// The session key that the backend issues, as the field line with which a client presents it.
        let issued: String?
    }

    /// Connections to each replica that is asked.
    var connections = 4
    /// Requests that are sent before the first of their responses is read.
    var batch = 25
    var source = SessionSource.header

    /// The answers of the replica that listens on this port, in the order of the sessions.
    ///
    /// - Parameter sessions: the field lines with which clients present their session keys; an empty one presents none.
    /// - Throws: where a connection fails, or a response is none.
    func ask(_ sessions: [String], port: Int) async throws -> [Answer] {
        try await ask(sessions.map { ($0, port) })
    }

    /// The answers to each question, which each go to a port.
    func ask(_ questions: [(session: String, port: Int)]) async throws -> [Answer] {
        // Those of one connection are of one port.
        let byPort = Dictionary(grouping: questions.indices) { questions[$0].port }
        var parts: [(port: Int, indices: [Int])] = []
        for (port, indices) in byPort {
            let size = max(1, (indices.count + connections - 1) / connections)
            for start in stride(from: 0, to: indices.count, by: size) {
                parts.append((port, Array(indices[start..<min(start + size, indices.count)])))
            }
        }
        let shares = parts
        let answers = try await Threads.run(shares.count) { number in
            let part = shares[number]
            return try askInTurn(part.indices.map { questions[$0].session }, port: part.port)
        }
        var all = [Answer?](repeating: nil, count: questions.count)
        for (part, answers) in zip(shares, answers) {
            for (index, answer) in zip(part.indices, answers) { all[index] = answer }
        }
        return all.compactMap(\.self)
    }

    /// On one connection. Blocks.
    private func askInTurn(_ sessions: [String], port: Int) throws -> [Answer] {
        let socket = try TCPSocket(port: port, timeout: 20)
        defer { socket.close() }
        var answers: [Answer] = []
        var unread: [UInt8] = []
        for start in stride(from: 0, to: sessions.count, by: batch) {
            let part = sessions[start..<min(start + batch, sessions.count)]
            try socket.send(part.map(Self.request).joined())
            while answers.count < start + part.count {
                let piece = try socket.receive()
                guard !piece.isEmpty else { throw Unexpected(description: "a replica ended a connection") }
                unread += piece
                for head in Self.takeHeads(from: &unread) { answers.append(try answer(head)) }
            }
        }
        return answers
    }

    private static func request(_ session: String) -> String {
        let line = session.isEmpty ? "" : session + "\r\n"
        return "HEAD /health HTTP/1.1\r\nHost: test.example\r\n\(line)\r\n"
    }

    /// Takes all complete heads of responses.
    private static func takeHeads(from bytes: inout [UInt8]) -> [String] {
        var heads: [String] = []
        var taken = 0
        (bytes + [0]).withUnsafeBytes { bytes in
            guard let start = bytes.baseAddress?.assumingMemoryBound(to: CChar.self) else { return }
            while let end = strstr(start + taken, "\r\n\r\n") {
                let next = UnsafePointer(end) - start + 4
                heads.append(String(decoding: bytes[taken..<next], as: UTF8.self))
                taken = next
            }
        }
        bytes.removeFirst(taken)
        return heads
    }

    private func answer(_ head: String) throws -> Answer {
        let words = head.prefix { $0 != "\r\n" }.split(separator: " ", maxSplits: 2)
        guard words.count > 1, let status = Int(words[1]) else { throw Unexpected(description: "no response: \(head)") }
        return Answer(
            status: status, backend: Self.value(of: "X-Backend", in: head) ?? "",
            issued: source.issuingField.flatMap { Self.value(of: $0, in: head) }.map(source.line))
    }

    /// The value of a field whose name is written so.
    private static func value(of name: String, in head: String) -> String? {
        head.withCString { head in
            let needle = "\r\n\(name): "
            guard let found = strstr(head, needle) else { return nil }
            let value = found + needle.utf8.count
            guard let end = strchr(value, CInt(UInt8(ascii: "\r"))) else { return nil }
            let bytes = UnsafeRawBufferPointer(start: value, count: end - value)
            return String(decoding: bytes, as: UTF8.self)
        }
    }
}
