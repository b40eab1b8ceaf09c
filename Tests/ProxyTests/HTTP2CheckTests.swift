import Affinity
import Foundation
import HTTP2Wire
import LimpetTestKit
import NIOCore
import TLS
import Testing

@testable import Proxy

@Suite("A health check over HTTP/2")
struct HTTP2CheckTests {
    private static func results(
        _ port: Int, _ check: HealthCheck, count: Int = 1, isFresh: Bool = false, tls: BackendTLS? = nil
    ) async throws -> [CheckResult] {
        try await BackendCheckerTests.timed(
            port, check, count: count, isFresh: isFresh, tls: tls, isHTTP2: tls == nil
        ).map(\.result)
    }

    private static func grpc(timeoutMilliseconds: Int64 = 5000) -> HealthCheck {
        HealthCheck(path: GRPCHealth.path, mode: .grpc, pace: CheckPace(timeoutMilliseconds: timeoutMilliseconds))
    }

    @Test("is one request, and again over the same connection; redirects are followed")
    func kept() async throws {
        let backend = try HTTP2Backend { call in
            if call.path == "/old" {
                call.respond("HTTP/1.1 302 \r\nlocation: /health\r\n\r\n", body: [1])
            } else {
                call.ok("well")
            }
        }
        let results = try await Self.results(backend.port, HealthCheck(path: "/old"), count: 3)
        #expect(results.map(\.failure) == [nil, nil, nil])
        #expect(results.map(\.hasConnected) == [true, false, false])
        #expect(backend.connectionCount == 1)
        #expect(backend.received.map(\.path) == ["/old", "/health", "/old", "/health", "/old", "/health"])
        let head = try #require(backend.received.first?.head)
        #expect(head == "GET /old HTTP/1.1\r\nhost: 127.0.0.1:\(backend.port)\r\nuser-agent: limpet\r\n\r\n")
        let fresh = try await Self.results(backend.port, HealthCheck(path: "/h"), count: 2, isFresh: true)
        #expect(fresh.map(\.hasConnected) == [true, true] && backend.connectionCount == 3)
    }

    @Test("finds what is wrong")
    func failures() async throws {
        let backend = try HTTP2Backend { call in
            switch call.path {
            case "/500": call.respond("HTTP/1.1 500 \r\n\r\n")
            case "/reset": call.reset(HTTP2ErrorCode.internalError)
            case "/cut":
                call.respond("HTTP/1.1 200 \r\n\r\n", body: [1], ends: false)
                call.reset(HTTP2ErrorCode.internalError)
            case "/large": call.respond("HTTP/1.1 200 \r\n\r\n", body: Array(repeating: 1, count: 1 << 20))
            default: break
            }
        }
        for (path, failure) in [
            ("/500", FailingReason.status(500)), ("/reset", .closed), ("/cut", .closed), ("/silent", .timedOut),
            ("/large", nil),
        ] {
            let check = HealthCheck(path: path, pace: CheckPace(timeoutMilliseconds: 500))
            try await #expect(Self.results(backend.port, check)[0].failure == failure, "\(path)")
        }
        let plain = try ScriptedBackend.answering(ok("well"))
        defer { plain.close() }
        try await #expect(Self.results(plain.port, HealthCheck(path: "/"))[0].failure != nil)
    }

    @Test("that a kept connection has refused is made over another")
    func refused() async throws {
        let backend = try HTTP2Backend { call in
            if call.connection == 1, call.stream > 1 { return call.reset(HTTP2ErrorCode.refusedStream) }
            call.ok("well")
        }
        let results = try await Self.results(backend.port, HealthCheck(path: "/"), count: 2)
        #expect(results.map(\.failure) == [nil, nil] && results.map(\.hasConnected) == [true, true])
    }

    private static let cases: [(String, [UInt8], String, FailingReason?)] = [
        ("", [0, 0, 0, 0, 2, 8, 1], "grpc-status: 0\r\n", nil),
        ("", [0, 0, 0, 0, 2, 8, 2], "grpc-status: 0\r\n", .notServing),
        // The default of the field is UNKNOWN.
        ("", [0, 0, 0, 0, 0], "grpc-status: 0\r\n", .notServing),
        // Fields that another version adds.
        ("", [0, 0, 0, 0, 7, 0x12, 1, 9, 0x18, 5, 8, 1], "grpc-status: 0\r\n", nil),
        ("", [], "grpc-status: 12\r\n", .grpcStatus(12)), ("grpc-status: 5\r\n", [], "", .grpcStatus(5)),
        ("", [0, 0, 0, 0, 2, 8, 1], "", .malformed), ("", [0, 0, 0, 0, 9, 8, 1], "grpc-status: 0\r\n", .malformed),
        ("", [1, 0, 0, 0, 2, 8, 1], "grpc-status: 0\r\n", .malformed),
        ("", [0, 0, 0, 0, 2, 8, 0x80], "grpc-status: 0\r\n", .malformed),
        ("", [0, 0, 0, 0, 2, 0x12, 0x7F], "grpc-status: 0\r\n", .malformed),
        ("", [], "grpc-status: many\r\n", .malformed),
    ]

    @Test("by gRPC asks the server how it is", arguments: cases)
    func grpc(_ fields: String, _ body: [UInt8], _ trailers: String, _ failure: FailingReason?) async throws {
        let backend = try HTTP2Backend { call in
            call.respond(
                "HTTP/1.1 200 \r\ncontent-type: application/grpc\r\n\(fields)\r\n", body: body, trailers: trailers)
        }
        let results = try await Self.results(backend.port, Self.grpc(), count: 2)
        #expect(results.map(\.failure) == [failure, failure])
        let call = try #require(backend.received.first)
        #expect(call.head.hasPrefix("POST /grpc.health.v1.Health/Check HTTP/1.1\r\n") && call.body == [0, 0, 0, 0, 0])
        #expect(call.head.fieldLines.contains("te: trailers"))
        #expect(call.head.fieldLines.contains("content-type: application/grpc"))
        #expect(backend.connectionCount == 1)
    }

    @Test("by gRPC of another status than 200, of silence, and of a server that speaks HTTP/1.1 alone")
    func grpcFailures() async throws {
        let backend = try HTTP2Backend { call in
            if call.connection == 1 { call.respond("HTTP/1.1 404 \r\n\r\n") }
        }
        try await #expect(Self.results(backend.port, Self.grpc())[0].failure == .status(404))
        try await #expect(Self.results(backend.port, Self.grpc(timeoutMilliseconds: 300))[0].failure == .timedOut)
        let origin = try ScriptedBackend.answering(ok("well"))
        defer { origin.close() }
        let served = try TLSServed("IP:127.0.0.1,DNS:a.example")
        var options = ProxyHarness.Options()
        options.tls = served.serving(defaultCertificate: "IP:127.0.0.1,DNS:a.example")
        var settings = BackendTLSSettings()
        settings.client.authorities = try ServerCertificate.authorities(served.authority.root.certificateBytes)
        let both = try BackendTLS(settings)
        settings.disablesHTTP2 = true
        let http1 = try BackendTLS(settings)
        try await withProxy(to: [origin.port], options) { secure in
            try await #expect(Self.results(secure.port, Self.grpc(), tls: http1)[0].failure == .notHTTP2)
            // It speaks HTTP/2, and is no gRPC server.
            try await #expect(Self.results(secure.port, Self.grpc(), tls: both)[0].failure == .malformed)
            for tls in [both, http1] {
                try await #expect(Self.results(secure.port, HealthCheck(path: "/"), tls: tls)[0].failure == nil)
            }
        }
    }

    @Test("keeps a backend up, or finds it failing, and probes find one that comes back")
    func prober() async throws {
        let backend = try HTTP2Backend { call in
            let isWell = call.head.contains("/grpc.health.v1.Health/Check")
            call.respond(
                "HTTP/1.1 200 \r\n\r\n", body: [0, 0, 0, 0, 2, 8, isWell ? 1 : 2], trailers: "grpc-status: 0\r\n")
        }
        var options = ProxyHarness.Options()
        options.backendsAreHTTP2 = true
        var check = Self.grpc()
        check.pace.intervalMilliseconds = 100
        options.healthCheck = check
        let dead = try closedPort()
        try await withProxy(to: [backend.port, dead], options) { proxy in
            let isFound = try await eventually {
                let hash = proxy.current[0].membership.backends[0].hash
                return proxy.current[0].checkCounts(of: hash)?[.good] ?? 0 > 2 && !proxy.health.isUp(1)
            }
            #expect(isFound && proxy.health.isUp(0))
            #expect(backend.connectionCount == 1)
        }
    }
}
