package import HTTP2Wire

/// One side of a connection in memory: records what it receives, and sends what it is given.
package final class HTTP2Side: HTTP2Events {
    package enum Event: Equatable {
        case head(Int32, String, ends: Bool)
        case refusedHead(Int32, HTTP2HeadFault)
        case content(Int32, [UInt8])
        case end(Int32, trailers: String)
        case closed(Int32, UInt32)
        case goAway(last: Int32, UInt32)
    }

    package private(set) var session: HTTP2Session!
    package var events: [Event] = []
    package var isEnded = false
    /// What is to be sent on each stream, and whether nothing follows it.
    package var content: [Int32: [UInt8]] = [:]
    package var complete: Set<Int32> = []
    package var trailers: [Int32: String] = [:]
    private var sent: [Int32: Int] = [:]
    private var output: [UInt8] = []

    package init(_ settings: HTTP2Settings) {
        session = HTTP2Session(settings, events: self)
    }

    /// Everything that there is to send.
    package func takeOutput() -> [UInt8] {
        while session.nextOutput({ output += $0 }) {}
        defer { output = [] }
        return output
    }

    package func receive(_ bytes: [UInt8], at milliseconds: UInt64 = 0) {
        guard !bytes.isEmpty else { return }
        if !bytes.withUnsafeBytes({ session.receive($0, at: milliseconds) }) { isEnded = true }
    }

    package func send(request head: String, ends: Bool = true) -> Int32? {
        var bytes = Array(head.utf8)
        return bytes.withUnsafeMutableBytes {
            session.send(request: $0, scheme: "https", acceptsTrailers: false, ends: ends)
        }
    }

    package func send(webSocket head: String) -> Int32? {
        var bytes = Array(head.utf8)
        return bytes.withUnsafeMutableBytes { session.send(webSocket: $0, scheme: "https") }
    }

    @discardableResult
    package func send(response head: String, on stream: Int32, ends: Bool = true) -> Bool {
        var bytes = Array(head.utf8)
        return bytes.withUnsafeMutableBytes { session.send(response: $0, on: stream, ends: ends) }
    }

    package func takeEvents() -> [Event] {
        defer { events = [] }
        return events
    }

    // MARK: Events

    package func received(head: UnsafeRawBufferPointer, of stream: Int32, ends: Bool) {
        events.append(.head(stream, String(decoding: head, as: UTF8.self), ends: ends))
    }

    package func refusedHead(of stream: Int32, _ fault: HTTP2HeadFault) { events.append(.refusedHead(stream, fault)) }

    package func received(content: UnsafeRawBufferPointer, of stream: Int32) {
        events.append(.content(stream, Array(content)))
    }

    package func receivedEnd(of stream: Int32, trailers: UnsafeRawBufferPointer) {
        events.append(.end(stream, trailers: String(decoding: trailers, as: UTF8.self)))
    }

    package func closed(_ stream: Int32, error: UInt32) { events.append(.closed(stream, error)) }

    package func receivedGoAway(last: Int32, error: UInt32) { events.append(.goAway(last: last, error)) }

    /// How much of a stream's content the windows have held back.
    package func unsent(of stream: Int32) -> Int { (content[stream]?.count ?? 0) - (sent[stream] ?? 0) }

    package func content(of stream: Int32, atMost limit: Int) -> HTTP2Content {
        let left = unsent(of: stream)
        let count = min(limit, left)
        guard count == left, complete.contains(stream) else { return HTTP2Content(count: count, end: .goesOn) }
        if let lines = trailers[stream], session.send(trailers: Array(lines.utf8), of: stream) {
            return HTTP2Content(count: count, end: .completeWithTrailers)
        }
        return HTTP2Content(count: count, end: .complete)
    }

    package func write(_ count: Int, of stream: Int32, after frameHead: UnsafeRawBufferPointer) {
        output += frameHead
        let start = sent[stream] ?? 0
        if let content = content[stream] { output += content[start..<start + count] }
        sent[stream] = start + count
    }

    package func webSocketKey() -> [UInt8] { Array("bGltcGV0bGltcGV0bGltcA==".utf8) }

    package func webSocketAccept(of stream: Int32) -> [UInt8] { Array("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=".utf8) }
}
