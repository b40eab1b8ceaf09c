import Foundation
package import HTTP2Wire
import Synchronization

/// A backend that speaks HTTP/2 from the first byte on, without TLS. Closed with the last reference.
package final class HTTP2Backend: Sendable {
    /// A request that has arrived, and the answer to it, from a thread of its own.
    package struct Call: Sendable {
        /// In the form of HTTP/1.1.
        package let head: String
        package fileprivate(set) var body: [UInt8] = []
        /// Field lines, and an empty one.
        package fileprivate(set) var trailers = ""
        package let stream: Int32
        /// The number of the connection, counted from 1.
        package let connection: Int
        fileprivate let line: HTTP2BackendLine

        package var path: String { String(head.split(separator: " ", maxSplits: 2)[1]) }

        package func interim(_ head: String) { line.interim(head, stream) }

        /// Sends a response. Without an end more of it follows.
        package func respond(_ head: String, body: [UInt8] = [], trailers: String = "", ends: Bool = true) {
            line.respond(head, Array(body), trailers: trailers, ends: ends, stream)
        }

        package func ok(_ body: String, _ fields: String = "") {
            respond("HTTP/1.1 200 \r\n\(fields)content-length: \(body.utf8.count)\r\n\r\n", body: Array(body.utf8))
        }

        package func send(_ body: [UInt8], trailers: String = "", ends: Bool = false) {
            line.send(body, trailers: trailers, ends: ends, stream)
        }

        package func reset(_ error: UInt32) { line.with { $0.reset(stream, error) } }

        /// Takes no more streams on this connection.
        package func goAway() { line.with { $0.refuseStreams() } }

        /// Closes the connection.
        package func close() { line.close() }

        /// Whether the proxy has ended the stream within this number of seconds, with this error.
        package func isClosed(within seconds: Double, _ error: UInt32) -> Bool {
            Waiting.until(within: seconds) { line.closed(stream) == error }
        }
    }

    private let listener: ScriptedBackend
    private let calls: Calls

    /// Shared with the connections of the backend, which outlive no test.
    private final class Calls: Sendable {
        let all = Mutex<[Call]>([])
    }

    /// - Parameters:
    ///   - port: a free one if 0.
    ///   - answersEarly: answers requests when their heads have arrived, without their bodies.
    ///   - answer: called on a thread of its own for each request.
    package init(
        port: Int = 0, _ settings: HTTP2Settings = HTTP2Settings(.server), answersEarly: Bool = false,
        answer: @escaping @Sendable (Call) -> Void
    ) throws {
        let calls = Calls()
        self.calls = calls
        listener = try ScriptedBackend(port: port) { socket, number in
            let line = HTTP2BackendLine(socket, settings, number, answersEarly: answersEarly) { call in
                calls.all.withLock { $0.append(call) }
                Threads.detach { answer(call) }
            }
            line.run()
        }
    }

    deinit { listener.close() }

    package var port: Int { listener.port }
    package var connectionCount: Int { listener.connectionCount }
    /// Of all requests so far.
    package var received: [Call] { calls.all.withLock { $0 } }
}

/// One connection of the backend.
///
/// Unchecked: everything is used under the lock, and the socket by one reader and by writers under the lock.
final class HTTP2BackendLine: HTTP2Events, @unchecked Sendable {
    private let socket: TCPSocket
    private let number: Int
    private let answersEarly: Bool
    private let received: @Sendable (HTTP2Backend.Call) -> Void
    private let lock = NSRecursiveLock()
    private var session: HTTP2Session?
    private var calls: [Int32: HTTP2Backend.Call] = [:]
    private var content: [Int32: [UInt8]] = [:]
    private var ends: [Int32: String] = [:]
    private var errors: [Int32: UInt32] = [:]
    private var output: [UInt8] = []

    init(
        _ socket: TCPSocket, _ settings: HTTP2Settings, _ number: Int, answersEarly: Bool,
        received: @escaping @Sendable (HTTP2Backend.Call) -> Void
    ) {
        self.socket = socket
        self.number = number
        self.answersEarly = answersEarly
        self.received = received
        session = HTTP2Session(settings, events: self)
    }

    /// Serves until the connection ends.
    func run() {
        with { _ in }
        while let bytes = try? socket.receive(), !bytes.isEmpty {
            var goesOn = true
            with { session in goesOn = bytes.withUnsafeBytes { session.receive($0, at: 0) } }
            if !goesOn { break }
        }
    }

    /// Does something with the session, and sends what comes of it.
    func with(_ body: (HTTP2Session) -> Void) {
        lock.withLock {
            guard let session else { return }
            body(session)
            while session.nextOutput({ output += $0 }) {}
            if !output.isEmpty { try? socket.send(output) }
            output = []
        }
    }

    func close() { socket.closeBoth() }

    func closed(_ stream: Int32) -> UInt32? { lock.withLock { errors[stream] } }

    func interim(_ head: String, _ stream: Int32) {
        with { session in
            var bytes = Array(head.utf8)
            bytes.withUnsafeMutableBytes { session.send(interim: $0, on: stream) }
        }
    }

    func respond(_ head: String, _ body: [UInt8], trailers: String, ends: Bool, _ stream: Int32) {
        with { session in
            var bytes = Array(head.utf8)
            let endsWithHead = ends && body.isEmpty && trailers.isEmpty
            content[stream] = body
            if ends { self.ends[stream] = trailers }
            _ = bytes.withUnsafeMutableBytes { session.send(response: $0, on: stream, ends: endsWithHead) }
        }
    }

    func send(_ body: [UInt8], trailers: String, ends: Bool, _ stream: Int32) {
        with { session in
            content[stream, default: []] += body
            if ends { self.ends[stream] = trailers }
            session.resume(stream)
        }
    }

    // MARK: Events

    func received(head: UnsafeRawBufferPointer, of stream: Int32, ends: Bool) {
        let call = HTTP2Backend.Call(
            head: String(decoding: head, as: UTF8.self), stream: stream, connection: number, line: self)
        calls[stream] = call
        if ends || answersEarly { received(call) }
    }

    func refusedHead(of stream: Int32, _ fault: HTTP2HeadFault) {}

    func received(content: UnsafeRawBufferPointer, of stream: Int32) {
        calls[stream]?.body += content
        if !answersEarly { session?.consume(content.count, of: stream) }
    }

    func receivedEnd(of stream: Int32, trailers: UnsafeRawBufferPointer) {
        calls[stream]?.trailers = String(decoding: trailers, as: UTF8.self)
        if !answersEarly, let call = calls[stream] { received(call) }
    }

    func closed(_ stream: Int32, error: UInt32) { errors[stream] = error }

    func receivedGoAway(last: Int32, error: UInt32) {}

    func content(of stream: Int32, atMost limit: Int) -> HTTP2Content {
        let all = content[stream] ?? []
        let count = min(limit, all.count)
        guard count == all.count, let trailers = ends[stream] else { return HTTP2Content(count: count, end: .goesOn) }
        if !trailers.isEmpty, session?.send(trailers: Array(trailers.utf8), of: stream) == true {
            return HTTP2Content(count: count, end: .completeWithTrailers)
        }
        return HTTP2Content(count: count, end: .complete)
    }

    func write(_ count: Int, of stream: Int32, after frameHead: UnsafeRawBufferPointer) {
        output += frameHead
        output += content[stream]?.prefix(count) ?? []
        content[stream]?.removeFirst(count)
    }

    func webSocketKey() -> [UInt8] { [] }

    func webSocketAccept(of stream: Int32) -> [UInt8] { [] }
}
