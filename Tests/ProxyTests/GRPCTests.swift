import HTTP2Wire
import LimpetTestKit
import NIOCore
import Testing

@testable import Proxy

@Suite("Calls of gRPC")
struct GRPCTests {
    private static let call = "Content-Type: application/grpc\r\nTe: trailers\r\n"

    @Test("learn Limpet's own errors in their own form")
    func errors() async throws {
        let closed = try closedPort()
        try await withProxy(to: [closed]) { proxy in
            let client = try HTTP2Client(port: proxy.port)
            for (type, status, code) in [
                ("application/grpc", 200, "14"), ("application/grpc+proto", 200, "14"),
                ("application/grpc;x=y", 200, "14"), ("application/grpc-web", 503, nil), ("text/plain", 503, nil),
            ] as [(String, Int, String?)] {
                let stream = try #require(try client.send("POST", "/a.B/C", "Content-Type: \(type)\r\n", body: "x"))
                let response = try client.response(to: stream)
                #expect(response.status == status && response.isComplete, "\(type)")
                #expect(response.values(of: "grpc-status").first == code, "\(type)")
                if code != nil {
                    #expect(response.body.isEmpty && response.values(of: "content-type") == ["application/grpc"])
                    #expect(response.values(of: "grpc-message") == ["no_backend"])
                }
            }
        }
    }

    @Test("end at their deadline, which their backend is told of as well")
    func deadline() async throws {
        let backend = try ScriptedBackend { connection, _ in
            _ = try connection.receive(until: "\r\n\r\n")
            _ = try connection.receiveAll()
        }
        defer { backend.close() }
        try await withProxy(to: [backend.port]) { proxy in
            let client = try HTTP2Client(port: proxy.port)
            let began = NIODeadline.now()
            let stream = try #require(
                try client.send("POST", "/a.B/C", Self.call + "Grpc-Timeout: 300m\r\n", body: "x"))
            let response = try client.response(to: stream)
            #expect(response.values(of: "grpc-status") == ["4"])
            let took = NIODeadline.now() - began
            #expect(took >= .milliseconds(300) && took < .seconds(5))
        }
    }

    @Test("have deadlines of at most eight digits and a unit")
    func timeouts() {
        let cases: [(String, TimeAmount?)] = [
            ("1H", .hours(1)), ("2M", .minutes(2)), ("3S", .seconds(3)), ("4m", .milliseconds(4)),
            ("5u", .microseconds(5)), ("6n", .nanoseconds(6)), ("99999999H", .hours(10_000)),
            ("99999999S", .seconds(99_999_999)), ("123456789S", nil),
            ("", nil), ("S", nil), ("1", nil), ("1s", nil), ("-1S", nil), ("1SS", nil), ("1 S", nil),
        ]
        for (text, amount) in cases { #expect(GRPCCall.timeout(Array(text.utf8)) == amount, "\(text)") }
    }

    @Test("map each status that Limpet answers with")
    func statuses() {
        let expected: [Int: GRPCStatus] = [
            400: .internal, 401: .unauthenticated, 403: .permissionDenied, 404: .unimplemented,
            408: .deadlineExceeded, 413: .resourceExhausted, 414: .resourceExhausted, 421: .unknown,
            431: .resourceExhausted, 501: .unknown, 502: .unavailable, 503: .unavailable, 504: .deadlineExceeded,
        ]
        for (status, code) in expected { #expect(GRPCStatus(http: status) == code, "\(status)") }
    }
}
