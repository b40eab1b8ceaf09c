import Foundation
import LimpetTestKit
import NIOCore
import Synchronization
import Testing

@testable import Proxy

@Suite("Silent connections to backends that speak HTTP/2")
struct HTTP2PingTests {
    /// - Parameter time: of silence before a PING, and for its answer. Where PINGs are answered, a busy machine must
    ///   not stall for as long.
    private static func options(_ time: TimeAmount, _ log: RecordedExchanges? = nil) -> ProxyHarness.Options {
        .toHTTP2 {
            $0.serviceLimits.pool.pings = PingLimits(after: time, timeout: time)
            $0.exchangeLog = log
        }
    }

    /// Reads until a PING arrives that is no answer, and returns its payload.
    private static func ping(_ frames: HTTP2Frames.Connection) throws -> [UInt8] {
        while true {
            let frame = try HTTP2Frame(from: frames.socket)
            if frame.type == 6, frame.flags & 1 == 0 { return frame.payload }
        }
    }

    @Test("end if a PING has no answer: their requests were not answered, and new ones go elsewhere")
    func dead() async throws {
        let pings = Mutex(0)
        let backend = try HTTP2Frames { frames, number in
            guard number == 1 else { return try frames.answerAll("second") }
            _ = try (frames.receiveHead(), frames.receiveHead())
            _ = try Self.ping(frames)
            pings.withLock { $0 += 1 }
            frames.waitForEnd()
        }
        let log = RecordedExchanges()
        try await withProxy(to: [backend.port], Self.options(.milliseconds(300), log)) { proxy in
            let clients = try ["GET", "POST"].map { method in
                let client = try HTTPConnection(port: proxy.port)
                try client.send(HTTPRequest(method, "/", fields: ["Content-Length": "0"]))
                return client
            }
            try #expect(clients[0].receive().text == "second")
            try #expect(clients[1].receive().status == 502)
            #expect(pings.withLock { $0 } == 1 && backend.connectionCount == 2)
            try await #expect(eventually { try await proxy.counters().backendConnections == 1 })
            try await #expect(eventually { log.all.count == 2 })
            let failure = log.all.first { $0.status == 502 }?.failedAttempt
            #expect(failure?.reason == .connectionLost && failure?.detail?.contains("PING") == true)
        }
    }

    @Test("go on as long as PINGs are answered; a connection without requests gets none")
    func alive() async throws {
        let counts = Mutex((busy: 0, idle: 0))
        let backend = try HTTP2Frames { frames, _ in
            let stream = try frames.receiveHead()
            for _ in 0..<3 {
                try frames.send(type: 6, flags: 1, Self.ping(frames))
                counts.withLock { $0.busy += 1 }
            }
            try frames.answer(stream, "late")
            while (try? Self.ping(frames)) != nil { counts.withLock { $0.idle += 1 } }
        }
        try await withProxy(to: [backend.port], Self.options(.seconds(1))) { proxy in
            let response = try proxy.exchange("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
            #expect(response.hasSuffix("late") || response.contains("late\r\n0\r\n"), "\(response)")
            usleep(2_500_000)
            #expect(counts.withLock { $0.busy } == 3 && counts.withLock { $0.idle } == 0)
            #expect(backend.connectionCount == 1)
            try await #expect(proxy.counters().backendConnections == 1)
        }
    }

    @Test("whose time begins with their first request, however long they had none")
    func afterIdle() async throws {
        let pings = Mutex(0)
        let backend = try HTTP2Frames { frames, _ in
            try frames.answer(frames.receiveHead(), "one")
            let stream = try frames.receiveHead()
            usleep(50_000)
            try frames.answer(stream, "two")
            while (try? Self.ping(frames)) != nil { pings.withLock { $0 += 1 } }
        }
        try await withProxy(to: [backend.port], Self.options(.seconds(1))) { proxy in
            let request = "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
            try #expect(proxy.exchange(request).contains("one"))
            usleep(2_200_000)
            try #expect(proxy.exchange(request).contains("two"))
            #expect(pings.withLock { $0 } == 0 && backend.connectionCount == 1)
        }
    }
}
