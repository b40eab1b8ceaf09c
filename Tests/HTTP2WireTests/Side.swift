import HTTP2Wire
import LimpetTestKit

/// One side of a connection in memory: records what it receives, and sends what it is given.
final class Side: HTTP2Events {
    enum Event: Equatable {
        case head(Int32, String, ends: Bool)
        case refusedHead(Int32, HTTP2HeadFault)
        case content(Int32, String)
        case end(Int32, trailers: String)
        case closed(Int32, UInt32)
        case goAway(last: Int32, UInt32)
    }

    private(set) var session: HTTP2Session!
    var events: [Event] = []
    var isEnded = false
    /// What is to be sent on each stream, and whether nothing follows it.
    var content: [Int32: [UInt8]] = [:]
    var complete: Set<Int32> = []
    var trailers: [Int32: String] = [:]
    private var output: [UInt8] = []

    init(_ settings: HTTP2Settings) {
        session = HTTP2Session(settings, events: self)
    }

    /// Everything that there is to send.
    func takeOutput() -> [UInt8] {
        while session.nextOutput({ output += $0 }) {}
        defer { output = [] }
        return output
    }

    func receive(_ bytes: [UInt8], at milliseconds: UInt64 = 0) {
        guard !bytes.isEmpty else { return }
        if !bytes.withUnsafeBytes({ session.receive($0, at: milliseconds) }) { isEnded = true }
    }

    func send(request head: String, ends: Bool = true) -> Int32? {
        var bytes = Array(head.utf8)
        return bytes.withUnsafeMutableBytes {
            session.send(request: $0, scheme: "https", acceptsTrailers: false, ends: ends)
        }
    }

    @discardableResult
    func send(response head: String, on stream: Int32, ends: Bool = true) -> Bool {
        var bytes = Array(head.utf8)
        return bytes.withUnsafeMutableBytes { session.send(response: $0, on: stream, ends: ends) }
    }

    func takeEvents() -> [Event] {
        defer { events = [] }
        return events
    }

    // MARK: Events

    func received(head: UnsafeRawBufferPointer, of stream: Int32, ends: Bool) {
        events.append(.head(stream, String(decoding: head, as: UTF8.self), ends: ends))
    }

    func refusedHead(of stream: Int32, _ fault: HTTP2HeadFault) { events.append(.refusedHead(stream, fault)) }

    func received(content: UnsafeRawBufferPointer, of stream: Int32) {
        events.append(.content(stream, String(decoding: content, as: UTF8.self)))
    }

    func receivedEnd(of stream: Int32, trailers: UnsafeRawBufferPointer) {
        events.append(.end(stream, trailers: String(decoding: trailers, as: UTF8.self)))
    }

    func closed(_ stream: Int32, error: UInt32) { events.append(.closed(stream, error)) }

    func receivedGoAway(last: Int32, error: UInt32) { events.append(.goAway(last: last, error)) }

    func content(of stream: Int32, atMost limit: Int) -> HTTP2Content {
        let all = content[stream] ?? []
        let count = min(limit, all.count)
        guard count == all.count, complete.contains(stream) else { return HTTP2Content(count: count, end: .goesOn) }
        if let lines = trailers[stream], session.send(trailers: Array(lines.utf8), of: stream) {
            return HTTP2Content(count: count, end: .completeWithTrailers)
        }
        return HTTP2Content(count: count, end: .complete)
    }

    func write(_ count: Int, of stream: Int32, after frameHead: UnsafeRawBufferPointer) {
        output += frameHead
        output += content[stream]?.prefix(count) ?? []
        content[stream]?.removeFirst(count)
    }

    func webSocketKey() -> [UInt8] { Array("bGltcGV0bGltcGV0bGltcA==".utf8) }
}

/// A client and a server that hear each other.
struct Pair {
    let client: Side
    let server: Side

    init(server settings: HTTP2Settings = HTTP2Settings(.server)) {
        client = Side(HTTP2Settings(.client))
        server = Side(settings)
        exchange()
        _ = (client.takeEvents(), server.takeEvents())
    }

    /// Passes bytes on until neither has any.
    func exchange() {
        while true {
            let (up, down) = (client.takeOutput(), server.takeOutput())
            if up.isEmpty, down.isEmpty { return }
            server.receive(up)
            client.receive(down)
        }
    }
}

typealias Frame = HTTP2Frame
