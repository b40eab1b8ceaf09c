import Foundation
import HTTP2Wire
import LimpetTestKit
import NIOCore
import Synchronization
import Testing

@testable import Proxy

/// Requests that are refused, held up or ended where one of HTTP/1.1 would have a connection of its own.
@Suite("Streams of HTTP/2 that end early, late or not at all")
struct HTTP2ClientEndTests {
    @Test("begin at no backend once GOAWAY has named the last one")
    func afterTheLast() async throws {
        let paths = Mutex<[String]>([])
        let backend = try ScriptedBackend { connection, _ in
            while true {
                let path = try connection.receive(until: "\r\n\r\n").split(separator: " ")[1]
                if path == "/warm" { usleep(200_000) } else { paths.withLock { $0.append(String(path)) } }
                try connection.send(ok("x"))
            }
        }
        defer { backend.close() }
        var options = ProxyHarness.Options()
        options.entryPoint.keepAliveMaxRequests = 2
        try await withProxy(to: [backend.port], options) { proxy in
            // Connections to the backend, over which a request would leave at once.
            let clients = try (0..<4).map { _ in try proxy.connect() }
            for client in clients { try client.send("GET /warm HTTP/1.1\r\nHost: h\r\n\r\n") }
            for client in clients { _ = try client.receive(until: "x") }
            let socket = try proxy.connect()
            var bytes = HTTP2Frame.preface
            for stream in [1, 3, 5, 7] as [UInt32] {
                let fields = HTTP2Frame.request.map { $0.0 == ":path" ? (":path", "/\(stream)") : $0 }
                bytes += HTTP2Frame.head(stream: stream, fields)
            }
            try socket.send(bytes)
            var (last, answered): (ArraySlice<UInt8>?, Set<UInt32>) = (nil, [])
            while let frame = try? HTTP2Frame(from: socket) {
                if frame.type == 7 { last = frame.payload.prefix(4) }
                if frame.type == 1 { answered.insert(frame.stream) }
            }
            #expect(last == [0, 0, 0, 3] && answered == [1, 3])
            try await #expect(eventually { try await proxy.counters().requestsInFlight == 0 })
            #expect(paths.withLock { $0 }.sorted() == ["/1", "/3"])
        }
    }

    /// The preface, and windows that hold any response.
    private static let opened =
        HTTP2Frame.preface + HTTP2Frame.frame(type: 4, [0, 4, 0x7f, 0xff, 0xff, 0xff])
        + HTTP2Frame.frame(type: 8, [0x7f, 0xff, 0, 0])

    @Test("end with their connection when the client takes nothing")
    func socketStalls() async throws {
        let backend = try ScriptedBackend.answering(ok(String(repeating: "x", count: 16 << 20)))
        defer { backend.close() }
        var options = ProxyHarness.Options()
        options.limits.stallTimeout = .milliseconds(500)
        let log = RecordedExchanges()
        options.exchangeLog = log
        try await withProxy(to: [backend.port], options) { proxy in
            let socket = try proxy.connect()
            try socket.send(Self.opened + HTTP2Frame.head(HTTP2Frame.request))
            try await #expect(eventually { try await proxy.onLoop { $0.openClients } == 1 })
            try await #expect(eventually { try await proxy.onLoop { $0.openClients } == 0 })
            #expect(try await proxy.counters().requestsInFlight == 0)
            #expect(log.all.map(\.cause?.reason) == [.clientStalled])
        }
    }

    @Test("go on as long as the client takes a little within each limit")
    func slowClient() async throws {
        let size = 1 << 20
        let backend = try ScriptedBackend.answering(ok(String(repeating: "x", count: size)))
        defer { backend.close() }
        var options = ProxyHarness.Options()
        options.limits.stallTimeout = .milliseconds(600)
        try await withProxy(to: [backend.port], options) { proxy in
            let socket = try proxy.connect()
            // So many that there is always something to send.
            let streams = (0..<64).map { UInt32(2 * $0 + 1) }
            try socket.send(Self.opened + streams.flatMap { HTTP2Frame.head(stream: $0, HTTP2Frame.request) })
            var received = 0
            while received < streams.count * size {
                let bytes = try socket.receive(upTo: 1 << 20)
                guard !bytes.isEmpty else { break }
                received += bytes.count
                // Four times the limit in all.
                usleep(40_000)
            }
            #expect(received > streams.count * size)
        }
    }

    /// Content goes out stream after stream (RFC 9218, section 10).
    @Test("wait for each other as long as the client takes something of one of them")
    func waitForEachOther() async throws {
        let body = String(repeating: "x", count: 200_000)
        let backend = try ScriptedBackend.answering(ok(body))
        defer { backend.close() }
        var options = ProxyHarness.Options()
        options.limits.stallTimeout = .milliseconds(600)
        try await withProxy(to: [backend.port], options) { proxy in
            var settings = HTTP2Settings(.client)
            (settings.streamWindow, settings.connectionWindow) = (1 << 20, 65_535)
            let client = try HTTP2Client(port: proxy.port, settings)
            client.consumes = false
            let streams = try (0..<2).map { _ in try #require(try client.send()) }
            var window = settings.connectionWindow
            while streams.contains(where: { !client[$0].isComplete }) {
                // All that the window allows.
                try client.read(until: {
                    streams.map { client[$0].body.count }.reduce(0, +) == min(window, 2 * body.utf8.count)
                        || streams.contains { client[$0].error ?? 0 != 0 }
                })
                guard !client.isClosed, streams.allSatisfy({ client[$0].error ?? 0 == 0 }) else { break }
                // Ten times that is several times the limit: longer than the second one waits for the first.
                usleep(200_000)
                // More than half of the window, so that the client opens it again.
                try client.consume(40_000, of: streams[0])
                window += 40_000
            }
            for stream in streams { #expect(client[stream].body.count == body.utf8.count) }
        }
    }

    @Test("end when their backend ends them, also without a body", arguments: ["HTTP/1.1 204 ", "HTTP/1.1 304 "])
    func lateEnd(_ status: String) async throws {
        let go = ScriptedBackend.Flag()
        let backend = try HTTP2Backend { call in
            call.respond("\(status)\r\n\r\n", ends: false)
            _ = go.isSet(within: 20)
            call.send([], ends: true)
        }
        let log = RecordedExchanges()
        let options = ProxyHarness.Options.toHTTP2 { $0.exchangeLog = log }
        try await withProxy(to: [backend.port], options) { proxy in
            let client = try HTTP2Client(port: proxy.port)
            let stream = try #require(try client.send())
            try client.read(until: { !client[stream].head.isEmpty })
            #expect(client[stream].error == nil)
            go.set()
            #expect(try client.response(to: stream).isComplete)
            try await #expect(eventually { log.all.count == 1 })
            #expect(log.all.map(\.cause?.reason) == [nil])
            #expect(backend.received.map { $0.isClosed(within: 5, HTTP2ErrorCode.noError) } == [true])
        }
    }

    @Test("are refused in the form of their request: gRPC's, and without a body for HEAD")
    func refused() async throws {
        try await withProxy(to: [closedPort()]) { proxy in
            let client = try HTTP2Client(port: proxy.port)
            let manyFields = (0..<101).map { "x-\($0): 1\r\n" }.joined()
            let large = (0..<90).map { "x-\($0): " + String(repeating: "y", count: 1000) + "\r\n" }.joined()
            for fields in [manyFields, large] {
                let call = try #require(
                    try client.send("POST", "/a.B/C", "content-type: application/grpc\r\n" + fields, body: "x"))
                let answer = try client.response(to: call)
                #expect(answer.status == 200 && answer.values(of: "grpc-status") == ["8"] && answer.body.isEmpty)
                let head = try client.response(to: try #require(try client.send("HEAD", "/", fields)))
                #expect(head.status == 431 && head.isComplete && head.body.isEmpty)
                let get = try client.response(to: try #require(try client.send("GET", "/", fields)))
                #expect(get.status == 431 && get.isComplete && !get.body.isEmpty)
            }
        }
    }
}
