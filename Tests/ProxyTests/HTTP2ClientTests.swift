import Foundation
import HTTP2Wire
import LimpetTestKit
import NIOCore
import Testing

@testable import Proxy

@Suite("Clients that speak HTTP/2")
struct HTTP2ClientTests {
    /// A backend that answers with the path and the whole body of each request.
    private static func echo() throws -> ScriptedBackend {
        try ScriptedBackend { connection, _ in
            while true {
                let head = try connection.receive(until: "\r\n\r\n")
                let path = head.components(separatedBy: " ")[1]
                var body = ""
                if head.lowercased().contains("transfer-encoding: chunked") {
                    body = try connection.receive(until: "\r\n\r\n")
                }
                try connection.send(ok(path + body))
            }
        }
    }

    @Test("are served, each request for itself, over one connection")
    func requests() async throws {
        let backend = try ScriptedBackend.answering(ok("hello", "Connection: keep-alive\r\nX-Up: A\r\n"))
        defer { backend.close() }
        try await withProxy(to: [backend.port]) { proxy in
            let client = try HTTP2Client(port: proxy.port)
            let streams = try (0..<50).map { try #require(try client.send("GET", "/\($0)")) }
            for stream in streams {
                let response = try client.response(to: stream)
                #expect(response.status == 200 && response.text == "hello")
                #expect(response.values(of: "x-up") == ["A"] && response.values(of: "connection").isEmpty)
                #expect(response.values(of: "date").count == 1)
            }
            #expect(Set(backend.heads.map { $0.components(separatedBy: " ")[1] }) == Set((0..<50).map { "/\($0)" }))
            let counters = try await proxy.counters()
            #expect(counters.http2 == HTTP2Counters(connections: 1, requests: 50))
            #expect(counters.requestsInFlight == 0 && counters.clientConnections == [1])
        }
    }

    @Test("have their affinity by request: the streams of one connection go to their own backends")
    func affinity() async throws {
        let backends = try (0..<3).map { try ScriptedBackend.answering(ok("b\($0)")) }
        defer { for backend in backends { backend.close() } }
        try await withProxy(to: backends.map(\.port)) { proxy in
            let client = try HTTP2Client(port: proxy.port)
            var places: [Int: String] = [:]
            for round in 0..<3 {
                let streams = try (0..<30).map {
                    try #require(try client.send("GET", "/", "X-Session-ID: s\($0)\r\n"))
                }
                for (session, stream) in streams.enumerated() {
                    let place = try client.response(to: stream).text
                    #expect(round == 0 || places[session] == place)
                    places[session] = place
                }
            }
            #expect(Set(places.values).count == 3)
        }
    }

    @Test("get a cookie, and come back with it in crumbs")
    func cookies() async throws {
        let backends = try (0..<2).map { try ScriptedBackend.answering(ok("b\($0)")) }
        defer { for backend in backends { backend.close() } }
        try await withProxy(to: backends.map(\.port)) { proxy in
            let client = try HTTP2Client(port: proxy.port)
            let first = try client.response(to: try #require(try client.send()))
            let cookie = try #require(first.values(of: "set-cookie").first?.components(separatedBy: ";").first)
            for _ in 0..<10 {
                let fields = "Cookie: a=b\r\nCookie: \(cookie)\r\nCookie: c=d\r\n"
                let response = try client.response(to: try #require(try client.send("GET", "/", fields)))
                #expect(response.text == first.text)
            }
            let heads = backends.flatMap(\.heads)
            #expect(heads.contains { $0.contains("cookie: a=b; \(cookie); c=d\r\n") })
        }
    }

    @Test("send bodies of any length, with trailers")
    func uploads() async throws {
        let backend = try Self.echo()
        defer { backend.close() }
        try await withProxy(to: [backend.port]) { proxy in
            let client = try HTTP2Client(port: proxy.port)
            let stream = try #require(try client.send("POST", "/up", body: "abc", ends: false))
            client.side.trailers[stream] = "X-Sum: 9\r\nAuthorization: x\r\n"
            try client.send(Array("defg".utf8), on: stream, ends: true)
            let answer = try client.response(to: stream)
            let text = answer.text
            #expect(answer.status == 200, "\(answer)")
            #expect(text.hasPrefix("/up") && text.contains("abc") && text.contains("defg"))
            #expect(text.hasSuffix("0\r\nx-sum: 9\r\n\r\n"))
            let large = String(repeating: "x", count: 500_000)
            let second = try #require(try client.send("POST", "/large", body: large))
            let response = try client.response(to: second)
            #expect(response.text.utf8.count { $0 == UInt8(ascii: "x") } == large.utf8.count)
        }
    }

    @Test("get trailers and interim responses")
    func trailers() async throws {
        let backend = try ScriptedBackend.answering(
            "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                + "3\r\nabc\r\n0\r\nX-Sum: 9\r\n\r\n")
        defer { backend.close() }
        try await withProxy(to: [backend.port]) { proxy in
            let client = try HTTP2Client(port: proxy.port)
            let response = try client.response(to: try #require(try client.send()))
            #expect(response.interim == ["HTTP/1.1 103 \r\nlink: </a>\r\n\r\n"])
            #expect(response.status == 200)
            #expect(response.text == "abc" && response.trailers == "x-sum: 9\r\n\r\n")
        }
    }

    @Test("get responses without a body", arguments: [("HEAD", 200), ("GET", 204), ("GET", 304)])
    func bodiless(_ method: String, _ status: Int) async throws {
        let length = status == 204 ? "" : "Content-Length: 5\r\n"
        let backend = try ScriptedBackend.answering("HTTP/1.1 \(status) X\r\n\(length)\r\n")
        defer { backend.close() }
        try await withProxy(to: [backend.port]) { proxy in
            let client = try HTTP2Client(port: proxy.port)
            for _ in 0..<3 {
                let response = try client.response(to: try #require(try client.send(method)))
                #expect(response.status == status && response.body.isEmpty && response.error != 1)
                #expect(response.values(of: "content-length") == (status == 204 ? [] : ["5"]))
            }
        }
    }

    @Test("get a body that ends with its backend's connection, and a reset for one that is cut short")
    func cutResponses() async throws {
        let backend = try ScriptedBackend { connection, _ in
            let head = try connection.receive(until: "\r\n\r\n")
            let length = head.contains("/cut") ? "Content-Length: 9\r\n" : ""
            try connection.send("HTTP/1.1 200 OK\r\n\(length)\r\nabc")
            connection.close()
        }
        defer { backend.close() }
        try await withProxy(to: [backend.port]) { proxy in
            let client = try HTTP2Client(port: proxy.port)
            let whole = try client.response(to: try #require(try client.send()))
            #expect(whole.text == "abc" && whole.isComplete && whole.error != HTTP2ErrorCode.internalError)
            let cut = try client.response(to: try #require(try client.send("GET", "/cut")))
            #expect(cut.status == 200 && !cut.isComplete && cut.error == HTTP2ErrorCode.internalError)
            // The connection goes on.
            #expect(try client.response(to: try #require(try client.send())).text == "abc")
        }
    }

    @Test("may be answered before their request is complete, and are told to stop")
    func earlyResponse() async throws {
        let backend = try ScriptedBackend { connection, _ in
            while true {
                _ = try connection.receive(until: "\r\n\r\n")
                try connection.send("HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno")
                _ = try connection.receiveAll()
            }
        }
        defer { backend.close() }
        try await withProxy(to: [backend.port]) { proxy in
            let client = try HTTP2Client(port: proxy.port)
            let stream = try #require(try client.send("POST", "/", body: "abc", ends: false))
            let response = try client.response(to: stream)
            #expect(response.status == 413 && response.text == "no" && response.isComplete)
            try client.read(until: { client[stream].error != nil })
            #expect(client[stream].error == HTTP2ErrorCode.noError)
        }
    }

    @Test("reset a stream: its backend's connection ends, the other streams go on")
    func resets() async throws {
        let closed = ScriptedBackend.Flag()
        let began = ScriptedBackend.Flag()
        let backend = try ScriptedBackend { connection, _ in
            while true {
                let head = try connection.receive(until: "\r\n\r\n")
                guard head.contains("/wait") else {
                    try connection.send(ok("other"))
                    continue
                }
                began.set()
                _ = try? connection.receiveAll()
                return closed.set()
            }
        }
        defer { backend.close() }
        let log = RecordedExchanges()
        var options = ProxyHarness.Options()
        options.exchangeLog = log
        try await withProxy(to: [backend.port], options) { proxy in
            let client = try HTTP2Client(port: proxy.port)
            let stream = try #require(try client.send("GET", "/wait"))
            #expect(began.isSet(within: 5))
            try client.reset(stream)
            #expect(closed.isSet(within: 5))
            #expect(try client.response(to: try #require(try client.send())).text == "other")
            try await #expect(eventually { try await proxy.counters().requestsInFlight == 0 })
            #expect(log.all.contains { $0.status == 499 && $0.version == .http2 })
        }
    }

    @Test("that read nothing hold up their own stream alone, and its backend")
    func backPressure() async throws {
        let sent = Counter()
        let backend = try ScriptedBackend { connection, _ in
            while true {
                let head = try connection.receive(until: "\r\n\r\n")
                guard head.contains("/large") else {
                    try connection.send(ok("small"))
                    continue
                }
                try connection.send("HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
                let piece = [UInt8](repeating: 120, count: 50_000)
                for _ in 0..<2000 {
                    try connection.send(piece)
                    sent.add(piece.count)
                }
            }
        }
        defer { backend.close() }
        try await withProxy(to: [backend.port]) { proxy in
            let client = try HTTP2Client(port: proxy.port)
            client.consumes = false
            let large = try #require(try client.send("GET", "/large"))
            try client.read(until: { client[large].body.count >= 65_536 })
            for _ in 0..<20 {
                #expect(try client.response(to: try #require(try client.send())).text == "small")
            }
            #expect(client[large].body.count == 65_536)
            // What waits in the proxy, and in the kernel's buffers.
            try await Task.sleep(for: .milliseconds(300))
            let waiting = sent.value
            #expect(waiting < 20_000_000)
            try client.consume(60_000, of: large)
            try client.read(until: { client[large].body.count >= 120_000 })
            #expect(client[large].body.count <= 65_536 + 60_000)
        }
    }

    @Test("whose backend takes nothing may send no more than their window")
    func uploadBackPressure() async throws {
        let go = ScriptedBackend.Flag()
        let backend = try ScriptedBackend { connection, _ in
            let head = try connection.receive(until: "\r\n\r\n")
            guard head.contains("/stuck") else { return try connection.send(ok("other")) }
            #expect(go.isSet(within: 10))
            _ = try connection.receive(until: "0\r\n\r\n")
            try connection.send(ok("done"))
        }
        defer { backend.close() }
        try await withProxy(to: [backend.port]) { proxy in
            let client = try HTTP2Client(port: proxy.port)
            // More than the kernel's buffers between proxy and backend take.
            let size = 16_000_000
            let stuck = try #require(
                try client.send("POST", "/stuck", body: String(repeating: "x", count: size), ends: true))
            client.socket.setTimeout(seconds: 1)
            #expect(throws: TCPSocket.Failure.self) { while true { try client.read() } }
            #expect(client.side.unsent(of: stuck) > 1_000_000)
            client.socket.setTimeout(seconds: 10)
            #expect(try client.response(to: try #require(try client.send("GET", "/x"))).text == "other")
            go.set()
            #expect(try client.response(to: stuck).text == "done")
        }
    }

    @Test("are refused what HTTP/1.1 refuses, with its statuses")
    func refusals() async throws {
        let backend = try ScriptedBackend.answering(ok("never"))
        defer { backend.close() }
        try await withProxy(to: [backend.port]) { proxy in
            let client = try HTTP2Client(port: proxy.port)
            for (method, path, fields, status) in [
                ("GET", "/../x", "", 400), ("GET", "/", "X_Forwarded_For: 1.1.1.1\r\n", 400),
                ("GET", "/", "Content_Length: 3\r\n", 400), ("GET", "/", "Content-Length: 3, 4\r\n", 0),
                ("GET", "/" + String(repeating: "x", count: 17_000), "", 414),
                ("GET", "/", "X-Long: \(String(repeating: "x", count: 17_000))\r\n", 431),
                ("GET", "/", (0..<101).map { "X-\($0): y\r\n" }.joined(), 431),
            ] {
                let response = try client.response(to: try #require(try client.send(method, path, fields)))
                #expect(response.status == status, "\(path.prefix(20)) \(fields.prefix(20))")
            }
            #expect(backend.heads.isEmpty)
        }
    }

    @Test("are told of a stop in two steps; what is on its way is served")
    func stop() async throws {
        let go = ScriptedBackend.Flag()
        let backend = try ScriptedBackend { connection, _ in
            while true {
                _ = try connection.receive(until: "\r\n\r\n")
                #expect(go.isSet(within: 10))
                try connection.send(ok("late"))
            }
        }
        defer { backend.close() }
        try await withProxy(to: [backend.port]) { proxy in
            let client = try HTTP2Client(port: proxy.port)
            let idle = try HTTP2Client(port: proxy.port)
            try idle.read()
            let stream = try #require(try client.send())
            try await #expect(eventually { try await proxy.counters().requestsInFlight == 1 })
            try await proxy.stop()
            try client.read(until: { !client.announcedEnds.isEmpty })
            #expect(client.announcedEnds == [.max])
            try client.read(until: { client.announcedEnds.count > 1 })
            #expect(client.announcedEnds == [.max, stream])
            go.set()
            #expect(try client.response(to: stream).text == "late")
            try client.read(until: { client.isClosed })
            try idle.read(until: { idle.isClosed })
            try await #expect(eventually { try await proxy.onLoop { $0.openClients } == 0 })
        }
    }

    @Test("that say nothing, or stop in the middle of a head, are left after the time for a head")
    func headTimeout() async throws {
        let backend = try ScriptedBackend.answering(ok("x"))
        defer { backend.close() }
        var options = ProxyHarness.Options()
        options.entryPoint.headTimeout = .milliseconds(300)
        options.entryPoint.idleTimeout = .seconds(30)
        try await withProxy(to: [backend.port], options) { proxy in
            let silent = try HTTP2Client(port: proxy.port)
            try silent.read(until: { silent.isClosed })
            let cut = try HTTP2Client(port: proxy.port)
            #expect(try cut.response(to: try #require(try cut.send())).status == 200)
            try cut.socket.send(HTTP2Frame.frame(type: 1, flags: 1, stream: 3, HTTP2Frame.block(HTTP2Frame.request)))
            try cut.read(until: { cut.isClosed })
            #expect(!cut.announcedEnds.isEmpty)
            let used = try HTTP2Client(port: proxy.port)
            #expect(try used.response(to: try #require(try used.send())).status == 200)
            try await Task.sleep(for: .milliseconds(900))
            #expect(try used.response(to: try #require(try used.send())).status == 200)
        }
    }

    @Test("that do not use their connection are left after its time")
    func idleTimeout() async throws {
        let backend = try ScriptedBackend.answering(ok("x"))
        defer { backend.close() }
        var options = ProxyHarness.Options()
        options.entryPoint.idleTimeout = .milliseconds(300)
        try await withProxy(to: [backend.port], options) { proxy in
            let client = try HTTP2Client(port: proxy.port)
            #expect(try client.response(to: try #require(try client.send())).status == 200)
            try client.read(until: { client.isClosed })
            #expect(client.announcedEnds.count == 1)
        }
    }

    @Test("that hold their window shut lose the stream, and only that")
    func shutWindow() async throws {
        let backend = try ScriptedBackend { connection, _ in
            while true {
                let head = try connection.receive(until: "\r\n\r\n")
                let size = head.contains("/large") ? 100_000 : 2
                try connection.send(ok(String(repeating: "x", count: size)))
            }
        }
        defer { backend.close() }
        var options = ProxyHarness.Options()
        options.limits.stallTimeout = .milliseconds(300)
        try await withProxy(to: [backend.port], options) { proxy in
            let client = try HTTP2Client(port: proxy.port)
            client.consumes = false
            let large = try #require(try client.send("GET", "/large"))
            try client.read(until: { client[large].error != nil })
            #expect(client[large].body.count == 65_536 && !client[large].isComplete)
            #expect(try client.response(to: try #require(try client.send())).text == "xx")
            try await #expect(eventually { try await proxy.counters().requestsInFlight == 0 })
        }
    }

    @Test("are answered within writeTimeout, also a request without a body")
    func writeTimeout() async throws {
        let backend = try ScriptedBackend { connection, _ in while try !connection.receive().isEmpty {} }
        defer { backend.close() }
        var options = ProxyHarness.Options()
        options.entryPoint.writeTimeout = .milliseconds(300)
        try await withProxy(to: [backend.port], options) { proxy in
            let client = try HTTP2Client(port: proxy.port)
            #expect(try client.response(to: try #require(try client.send())).status == 504)
            #expect(try client.response(to: try #require(try client.send("POST", "/", body: "x"))).status == 504)
        }
    }

    @Test("go on with a stream that takes longer than a head may, or a connection may be idle")
    func longStreams() async throws {
        let backend = try ScriptedBackend { connection, _ in
            while true {
                let isSlow = try connection.receive(until: "\r\n\r\n").hasPrefix("GET /slow")
                if isSlow { usleep(1_000_000) }
                try connection.send(ok("x"))
            }
        }
        defer { backend.close() }
        var options = ProxyHarness.Options()
        options.entryPoint.headTimeout = .milliseconds(400)
        options.entryPoint.idleTimeout = .milliseconds(400)
        try await withProxy(to: [backend.port], options) { proxy in
            let client = try HTTP2Client(port: proxy.port)
            for _ in 0..<2 {
                let slow = try #require(try client.send("GET", "/slow"))
                #expect(try client.response(to: slow).status == 200)
                #expect(client.announcedEnds == [])
                #expect(try client.response(to: try #require(try client.send())).status == 200)
            }
        }
    }

    @Test("may begin with HTTP/2 only at the start of a connection")
    func priorKnowledge() async throws {
        let backend = try ScriptedBackend.answering(ok("x"))
        defer { backend.close() }
        try await withProxy(to: [backend.port]) { proxy in
            let late = try proxy.connect()
            try late.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            _ = try late.receive(until: "\r\n\r\nx")
            try late.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
            #expect(String(decoding: try late.receiveAll(), as: UTF8.self).hasPrefix("HTTP/1.1 505"))
            // In pieces.
            for length in 1..<HTTP2Frame.preface.count {
                let cut = try proxy.connect()
                for piece in [HTTP2Frame.preface.prefix(length), HTTP2Frame.preface.dropFirst(length)] {
                    try cut.send(Array(piece))
                    usleep(2000)
                }
                try #expect(HTTP2Frame(from: cut).type == 4, "cut after \(length) bytes")
            }
            let dripped = try proxy.connect()
            for byte in HTTP2Frame.preface {
                try dripped.send([byte])
                usleep(1000)
            }
            try #expect(HTTP2Frame(from: dripped).type == 4)
        }
    }
}
