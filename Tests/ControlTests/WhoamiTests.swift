import Configuration
import Foundation
import LimpetTestKit
import Synchronization
import Testing

@testable import Control

@Suite("Whoami")
struct WhoamiTests {
    private static func with(_ body: (Int) async throws -> Void) async throws {
        let whoami = try await Whoami.start(name: "web-1", on: ListenAddress(host: "127.0.0.1", port: 0))
        try await body(whoami.listener.address.port)
        await whoami.listener.stop()
    }

    @Test("says its name and echoes the request")
    func introduces() async throws {
        try await Self.with { port in
            let answer = try await Loopback.ask(port, "/a?b=c", method: "POST", ["X-Tag: 7"], body: "hello")
            #expect(answer.status == 200)
            #expect(answer.head.contains("X-Backend: web-1"))
            let lines = answer.body.split(separator: "\n")
            #expect(lines.starts(with: ["backend: web-1", "visits: no session", "body: 5 bytes"]))
            #expect(lines.contains("POST /a?b=c HTTP/1.1") && lines.contains("X-Tag: 7"))
        }
    }

    @Test("speaks JSON to those who ask for it")
    func json() async throws {
        try await Self.with { port in
            let fields = ["Accept: application/json", "X-Session-ID: s"]
            let answer = try await Loopback.ask(port, "/x", fields)
            #expect(answer.head.contains("Content-Type: application/json"))
            let object = try JSONSerialization.jsonObject(with: Data(answer.body.utf8)) as? [String: Any]
            #expect(object?["backend"] as? String == "web-1")
            #expect(object?["visits"] as? Int == 1)
            #expect(object?["target"] as? String == "/x")
        }
    }

    @Test("lets connections wait that it has no room for, so that none has to be made twice")
    func waiting() async throws {
        let count = AuxiliaryListener.connectionsMax + 500
        try await Self.with { port in
            let open = Mutex<[TCPSocket]>([])
            Threads.detach {
                for _ in 0..<count {
                    guard let socket = try? TCPSocket(port: port) else { return }
                    open.withLock { $0.append(socket) }
                }
            }
            let haveAll = try await Threads.run { Waiting.until(within: 20) { open.withLock { $0.count } == count } }
            #expect(haveAll)
        }
    }

    private static func visits(_ port: Int, _ target: String, _ fields: [String]) async throws -> String {
        let lines = try await Loopback.ask(port, target, fields).body.split(separator: "\n")
        return String(try #require(lines.dropFirst().first))
    }

    @Test("counts the visits of each session, by field, parameter and cookie")
    func visits() async throws {
        let requests: [(target: String, fields: [String], visits: Int)] = [
            ("/", ["X-Session-ID: a"], 1), ("/", ["X-Session-ID: a"], 2), ("/", ["X-Session-ID: b"], 1),
            ("/?sid=c", [], 1), ("/?x=1&sid=c", [], 2), ("/", ["Cookie: k=d; other=1"], 1),
            ("/", ["Cookie: k=d; other=2"], 2),
        ]
        try await Self.with { port in
            for request in requests {
                let seen = try await Self.visits(port, request.target, request.fields)
                #expect(seen == "visits: \(request.visits)")
            }
        }
    }

    @Test("is healthy, slow, long and chunked on demand")
    func demands() async throws {
        try await Self.with { port in
            #expect(try await Loopback.ask(port, "/health").body == "OK\n")
            let start = ContinuousClock.now
            #expect(try await Loopback.ask(port, "/slow?ms=200").body.hasPrefix("backend: web-1"))
            #expect(ContinuousClock.now - start >= .milliseconds(200))
            let bytes = try await Loopback.ask(port, "/bytes?n=200000")
            #expect(bytes.body.utf8.count == 200_000 && bytes.head.contains("Content-Length: 200000"))
            let stream = try await Loopback.ask(port, "/stream?bytes=25&chunk=10&ms=1")
            #expect(stream.head.contains("transfer-encoding: chunked"))
            #expect(stream.body == "a\r\n..........\r\na\r\n..........\r\n5\r\n.....\r\n0\r\n\r\n")
            #expect(try await Loopback.ask(port, "/bytes?n=5", method: "HEAD").body.isEmpty)
        }
    }

    @Test("says how many requests are under way, those that ask for it left out, until they are answered or given up")
    func inFlight() async throws {
        try await Self.with { port in
            func isCounted(_ count: Int) async throws -> Bool {
                try await Waiting.eventually { try await Loopback.ask(port, "/inflight").body == "\(count)\n" }
            }
            try await #expect(isCounted(0))
            let slow = try TCPSocket(port: port)
            try slow.send("GET /slow?ms=60000 HTTP/1.1\r\nHost: h\r\n\r\n")
            try await #expect(isCounted(1))
            let begun = try TCPSocket(port: port)
            try begun.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nab")
            try await #expect(isCounted(2))
            try begun.send("cde")
            _ = try begun.receive(until: "\r\n\r\n")
            try await #expect(isCounted(1), "one is answered")
            slow.reset()
            try await #expect(isCounted(0), "the other is given up")
        }
    }

    @Test("refuses demands that have no measure", arguments: ["/slow?ms=60001", "/bytes?n=-1", "/stream?chunk=x"])
    func refusals(_ target: String) async throws {
        try await Self.with { port in
            let answer = try await Loopback.ask(port, target)
            #expect(answer.status == 400 && answer.body.contains("must be a number from 0 to "))
        }
    }

    @Test("streams to an HTTP/1.0 client until it closes")
    func http10() async throws {
        try await Self.with { port in
            let text = try await Loopback.exchange(port, "GET /stream?bytes=3 HTTP/1.0\r\n\r\n")
            #expect(text.hasPrefix("HTTP/1.0 200 OK") && text.hasSuffix("\r\n\r\n..."))
        }
    }

    @Test("remembers a bounded number of sessions, the latest ones")
    func boundedMemory() {
        let visits = VisitCounter()
        for session in 0..<VisitCounter.generationSize * 3 {
            #expect(visits.visit(sessionKey: "\(session)") == 1)
        }
        #expect(visits.visit(sessionKey: "\(VisitCounter.generationSize * 3 - 1)") == 2)
        #expect(visits.visit(sessionKey: "0") == 1)
        #expect(visits.count <= VisitCounter.generationSize * 2)
    }

    @Test(
        "takes names that can stand in a field",
        arguments: [("web-1", true), ("", false), ("a b", false), ("ä", false)])
    func names(_ name: String, _ isName: Bool) {
        #expect(Whoami.isName(name) == isName)
    }
}
