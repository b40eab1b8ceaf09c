import Foundation
import LimpetTestKit
import Testing

@testable import Proxy

@Suite("Targets, offers and hops of requests")
struct TargetTests {
    /// Sends the request to a proxy whose one router has the rule. Returns the status, and the heads that the backend
    /// got.
    private func outcome(
        of request: String, rule: String = "Host(`a.example`)"
    ) async throws -> (status: String, heads: [String]) {
        let backend = try ScriptedBackend.answering(ok("served"))
        defer { backend.close() }
        var options = ProxyHarness.Options()
        options.rule = rule
        var response = ""
        try await withProxy(to: [backend.port], options) { response = try $0.exchange(request) }
        return (String(response.dropFirst(9).prefix(3)), backend.heads)
    }

    @Test(
        "a request is routed by whom it is for: the authority of an absolute target, else Host",
        arguments: [
            ("GET http://a.example/ HTTP/1.0\r\n", "200"), ("GET http://a.example:80/ HTTP/1.1\r\nHost: b\r\n", "200"),
            ("GET http://A.Example:/ HTTP/1.1\r\nHost: b:\r\n", "200"),
            ("GET http://b/ HTTP/1.1\r\nHost: a.example\r\n", "404"),
            ("GET / HTTP/1.1\r\nHost: a.example:\r\n", "200"), ("GET / HTTP/1.1\r\nHost: a.example:8080\r\n", "200"),
            ("GET / HTTP/1.0\r\n", "404"), ("GET http://b/ HTTP/1.0\r\n", "404"),
        ])
    func routed(request: String, status: String) async throws {
        let outcome = try await outcome(of: request + "Connection: close\r\n\r\n")
        #expect(outcome.status == status)
        #expect(outcome.heads.count == (status == "200" ? 1 : 0))
        let hosts = outcome.heads.flatMap(\.fieldLines).filter { $0.hasPrefix("host:") }
        #expect(hosts.allSatisfy { $0.hasPrefix("host:a.example") || $0.hasPrefix("host: a.example") })
    }

    @Test(
        "a question about the server comes to whom the root comes, and is passed on as one",
        arguments: ["PathPrefix(`/`)", "Host(`a.example`)", "Path(`/`) && Method(`OPTIONS`)"])
    func server(rule: String) async throws {
        for target in ["*", "http://a.example"] {
            let request = "OPTIONS \(target) HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n"
            let outcome = try await outcome(of: request, rule: rule)
            #expect(outcome.status == "200")
            #expect(outcome.heads.first?.hasPrefix("OPTIONS * HTTP/1.1\r\n") == true)
        }
        let request = "OPTIONS * HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n"
        #expect(try await outcome(of: request, rule: "PathPrefix(`/a`)").status == "404")
    }

    @Test("a request that may be passed on no further is answered, and its connection goes on")
    func maxForwards() async throws {
        let backend = try ScriptedBackend.answering(ok("served"))
        defer { backend.close() }
        try await withProxy(to: [backend.port]) { proxy in
            let client = try proxy.connect()
            let rest = "HTTP/1.1\r\nHost: h\r\nX-Session-ID: s\r\n"
            try client.send("OPTIONS /a \(rest)Max-Forwards: 0\r\n\r\n")
            try #expect(client.receive(until: "200 OK\n").hasPrefix("HTTP/1.1 200 OK\r\n"))
            try client.send("TRACE / \(rest)Cookie: secret\r\nMax-Forwards: 00\r\n\r\n")
            let trace = try client.receive(until: "501 Not Implemented\n")
            #expect(trace.hasPrefix("HTTP/1.1 501 ") && !trace.contains("secret"))
            #expect(backend.connectionCount == 0)
            try client.send("OPTIONS /a \(rest)Max-Forwards: 1\r\n\r\n")
            _ = try client.receive(until: "served")
            #expect(backend.heads[0].fieldLines.contains("max-forwards: 0"))
            try client.send("GET /a \(rest)Max-Forwards: 0\r\n\r\n")
            _ = try client.receive(until: "served")
            #expect(backend.heads[1].fieldLines.contains("max-forwards: 0"))
        }
    }

    @Test(
        "a request that offers HTTP/2 beside itself is served as if it did not",
        arguments: [
            "GET /x HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\nHost: a.example\r\n"
                + "HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA\r\nUpgrade: h2c\r\n"
                + "User-Agent: Java-http-client/17.0.15\r\n\r\n",
            "POST /x HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\nContent-Length: 4\r\nHost: a.example\r\n"
                + "HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA\r\nUpgrade: h2c\r\n"
                + "User-Agent: Java-http-client/17.0.15\r\n\r\nbody",
        ])
    func offersHTTP2(request: String) async throws {
        let backend = try ScriptedBackend { connection, _ in
            let head = try connection.receive(until: "\r\n\r\n")
            if head.hasPrefix("POST") { _ = try connection.receive(until: "body") }
            try connection.send(ok("served", "X-Lines: \(head.fieldLines.joined(separator: "|"))\r\n"))
            _ = try connection.receive()
        }
        defer { backend.close() }
        try await withProxy(to: [backend.port]) { proxy in
            let client = try proxy.connect()
            try client.send(request)
            let response = try client.receive(until: "served")
            #expect(response.hasPrefix("HTTP/1.1 200 OK\r\n"))
            #expect(!response.contains("upgrade") && !response.contains("http2-settings"))
            #expect(!response.contains("Connection: close"))
        }
    }
}
