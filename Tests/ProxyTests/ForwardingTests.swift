import Foundation
import LimpetTestKit
import Routing
import Testing

@testable import Proxy

@Suite("Forwarding")
struct ForwardingTests {
    @Test("a request reaches the backend and the response the client")
    func forwards() async throws {
        let backend = try ScriptedBackend.answering(ok("hello", "X-Kept: yes\r\n"))
        defer { backend.close() }
        try await withProxy(to: [backend.port]) { proxy in
            let client = try proxy.connect()
            try client.send("GET /path?q=1 HTTP/1.1\r\nHost: example.test\r\nX-Session-ID: s\r\nAccept: */*\r\n\r\n")
            let response = try client.receive(until: "hello")
            #expect(response.withoutDate == "HTTP/1.1 200 OK\r\nX-Kept: yes\r\nContent-Length: 5\r\n\r\nhello")
            let head = try #require(backend.heads.first)
            #expect(
                head.hasPrefix("GET /path?q=1 HTTP/1.1\r\nHost: example.test\r\nX-Session-ID: s\r\nAccept: */*\r\n"))
        }
    }

    @Test("hop-by-hop fields and those that Connection names do not pass, in any case, but protected ones do")
    func hopByHop() async throws {
        let backend = try ScriptedBackend.answering(
            ok("", "Connection: keep-alive, X-Secret\r\nKeep-Alive: timeout=5\r\nX-Secret: 1\r\nX-Open: 2\r\n"))
        defer { backend.close() }
        try await withProxy(to: [backend.port]) { proxy in
            let response = try proxy.exchange(
                """
                GET / HTTP/1.1\r\nHost: h\r\nConnection: CLOSE, x-Hop, X-Forwarded-For, cookie, host\r\n\
                X-Hop: 1\r\nKeep-Alive: 5\r\nTE: trailers\r\nProxy-Connection: x\r\nProxy-Authorization: y\r\n\
                Cookie: a=b\r\n\r\n
                """)
            let sent = try #require(backend.heads.first).fieldLines
            for gone in ["connection", "x-hop", "keep-alive", "te", "proxy-connection", "proxy-authorization"] {
                #expect(!sent.contains { $0.hasPrefix("\(gone):") }, "\(gone) was forwarded")
            }
            #expect(sent.contains("host: h"))
            #expect(sent.contains("cookie: a=b"))
            #expect(sent.contains("x-forwarded-for: 127.0.0.1"))
            let received = response.fieldLines
            #expect(received.contains("x-open: 2"))
            #expect(!received.contains { $0.hasPrefix("x-secret:") || $0.hasPrefix("keep-alive:") })
            #expect(received.contains("connection: close"))
        }
    }

    @Test("forwarding fields of an untrusted client are replaced")
    func untrusted() async throws {
        let backend = try ScriptedBackend.answering(ok(""))
        defer { backend.close() }
        try await withProxy(to: [backend.port]) { proxy in
            _ = try proxy.exchange(
                """
                GET / HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\nX-Forwarded-For: 6.6.6.6\r\n\
                x-forwarded-proto: https\r\nX-Real-IP: 6.6.6.6\r\nForwarded: for=6.6.6.6\r\n\
                X-Forwarded-Host: evil\r\nX-Forwarded-Whatever: evil\r\n\r\n
                """)
            let sent = try #require(backend.heads.first).fieldLines
            #expect(!sent.contains { $0.contains("6.6.6.6") || $0.contains("evil") || $0.contains("https") })
            #expect(sent.contains("x-forwarded-for: 127.0.0.1"))
            #expect(sent.contains("x-forwarded-proto: http"))
            #expect(sent.contains("x-forwarded-host: shop.test"))
            #expect(sent.contains("x-real-ip: 127.0.0.1"))
            #expect(sent.contains("x-forwarded-server: r1"))
        }
    }

    @Test("forwarding fields of a trusted peer are kept, and its address added to the chain")
    func trusted() async throws {
        let backend = try ScriptedBackend.answering(ok(""))
        defer { backend.close() }
        var options = ProxyHarness.Options()
        options.trusted = [try AddressRange("127.0.0.0/8")]
        try await withProxy(to: [backend.port], options) { proxy in
            _ = try proxy.exchange(
                """
                GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nX-Forwarded-For: 1.1.1.1\r\n\
                X-Forwarded-For: 2.2.2.2\r\nX-Forwarded-Proto: https\r\n\r\n
                """)
            let sent = try #require(backend.heads.first).fieldLines
            #expect(sent.contains("x-forwarded-for: 1.1.1.1, 2.2.2.2, 127.0.0.1"))
            #expect(sent.contains("x-forwarded-proto: https"))
            #expect(!sent.contains("x-forwarded-proto: http"))
        }
    }

    @Test("an absolute target goes on in origin form; the Host of a backend stands where the client's is not passed")
    func targets() async throws {
        let backend = try ScriptedBackend.answering(ok(""))
        defer { backend.close() }
        var options = ProxyHarness.Options()
        options.passHost = false
        try await withProxy(to: [backend.port], options) { proxy in
            _ = try proxy.exchange("GET http://h.test/a?b HTTP/1.1\r\nHost: h.test\r\nConnection: close\r\n\r\n")
            _ = try proxy.exchange("GET http://h.test HTTP/1.1\r\nHost: h.test\r\nConnection: close\r\n\r\n")
            #expect(backend.heads[0].hasPrefix("GET /a?b HTTP/1.1\r\n"))
            #expect(backend.heads[1].hasPrefix("GET / HTTP/1.1\r\n"))
            for head in backend.heads {
                #expect(head.fieldLines.filter { $0.hasPrefix("host:") } == ["host: 127.0.0.1:\(backend.port)"])
                #expect(head.fieldLines.contains("x-forwarded-host: h.test"))
            }
        }
    }

    @Test("an HTTP/1.0 request without Host gets the backend's, and its response no chunks")
    func http10() async throws {
        let backend = try ScriptedBackend.answering(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n")
        defer { backend.close() }
        try await withProxy(to: [backend.port]) { proxy in
            let response = try proxy.exchange("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            let cookie = setCookie(of: response)
            #expect(response.withoutDate == "HTTP/1.1 200 OK\r\n\(cookie)Connection: close\r\n\r\nabcde")
            #expect(backend.heads[0].hasPrefix("GET / HTTP/1.1\r\n"))
            #expect(backend.heads[0].fieldLines.contains("host: 127.0.0.1:\(backend.port)"))
        }
    }

    @Test("pipelined requests are answered in order, each with its own answer")
    func pipelined() async throws {
        let backend = try ScriptedBackend { connection, _ in
            while true {
                let head = try connection.receive(until: "\r\n\r\n")
                let target = head.components(separatedBy: " ")[1]
                // In which any other could overtake it.
                if target == "/1" { usleep(100_000) }
                try connection.send(ok("answer to \(target)."))
            }
        }
        defer { backend.close() }
        try await withProxy(to: [backend.port]) { proxy in
            let requests = (1...20).map { number in
                "GET /\(number) HTTP/1.1\r\nHost: h\r\nX-Session-ID: s\r\n\(number == 20 ? "Connection: close\r\n" : "")\r\n"
            }
            let all = try proxy.exchange(requests.joined())
            let answers = all.components(separatedBy: "answer to ").dropFirst().map { $0.prefix { $0 != "." } }
            #expect(answers == (1...20).map { "/\($0)" })
        }
    }

    @Test("a chunked body passes both ways, trailers too, in pieces of any size")
    func chunked() async throws {
        let body = "5\r\nhello\r\n6\r\n world\r\n0\r\nX-Check: 1\r\n\r\n"
        let backend = try ScriptedBackend { connection, _ in
            _ = try connection.receive(until: "\r\n\r\n")
            let received = try connection.receive(until: "X-Check: 1\r\n\r\n")
            try connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            for byte in received.utf8 { try connection.send([byte]) }
            _ = try connection.receive()
        }
        defer { backend.close() }
        try await withProxy(to: [backend.port]) { proxy in
            let client = try proxy.connect()
            try client.send("POST / HTTP/1.1\r\nHost: h\r\nX-Session-ID: s\r\nTransfer-Encoding: chunked\r\n\r\n")
            for byte in body.utf8 { try client.send([byte]) }
            let response = try client.receive(until: "X-Check: 1\r\n\r\n")
            let received = try #require(response.range(of: "\r\n\r\n")).upperBound
            #expect(Chunks(response[received...]) == Chunks(body))
        }
    }

    @Test("extensions of chunks, white space beside their sizes and trailers that say what heads say do not pass")
    func normalised() async throws {
        let large = String(repeating: "x", count: 100_000)
        let odd =
            "5 \r\nhello\r\n186a0\t; a=\"b\" \r\n\(large)\r\n0 \r\nA: 1\r\nDate: x\r\nx-session-id: y\r\nB: 2\r\n\r\n"
        let plain = "5\r\nhello\r\n186a0\r\n\(large)\r\n0\r\nA: 1\r\nB: 2\r\n\r\n"
        let backend = try ScriptedBackend { connection, _ in
            _ = try connection.receive(until: "\r\n\r\n")
            let body = try connection.receive(until: "B: 2\r\n\r\n")
            try connection.send(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"
                    + "Date: d\r\nX-Is-Plain: \(Chunks(body) == Chunks(plain))\r\n\r\n\(odd)")
            _ = try connection.receive()
        }
        defer { backend.close() }
        try await withProxy(to: [backend.port]) { proxy in
            let client = try proxy.connect()
            try client.send("POST / HTTP/1.1\r\nHost: h\r\nX-Session-ID: s\r\nTransfer-Encoding: chunked\r\n\r\n")
            try client.send(
                odd.replacingOccurrences(of: " \r\n", with: "\r\n").replacingOccurrences(of: "\t; ", with: ";"))
            let response = try client.receive(until: "B: 2\r\n\r\n")
            let parts = response.components(separatedBy: "\r\nX-Is-Plain: true\r\n\r\n")
            #expect(parts.count == 2 && Chunks(parts[1]) == Chunks(plain))
        }
    }

    @Test("a body without length ends with the backend's connection, and comes in chunks")
    func untilClose() async throws {
        let backend = try ScriptedBackend { connection, _ in
            _ = try connection.receive(until: "\r\n\r\n")
            try connection.send("HTTP/1.1 200 OK\r\n\r\nall of it")
        }
        defer { backend.close() }
        try await withProxy(to: [backend.port]) { proxy in
            let client = try proxy.connect()
            for _ in 0..<2 {
                try client.send("GET / HTTP/1.1\r\nHost: h\r\nX-Session-ID: s\r\n\r\n")
                let response = try client.receive(until: "\r\n0\r\n\r\n")
                #expect(
                    response.withoutDate
                        == "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nall of it\r\n0\r\n\r\n")
            }
            let old = try proxy.exchange("GET / HTTP/1.0\r\nHost: h\r\nX-Session-ID: s\r\n\r\n")
            #expect(old.withoutDate == "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nall of it")
        }
    }

    @Test("responses to HEAD, and 204 and 304, have no body, and the connection goes on")
    func bodiless() async throws {
        let backend = try ScriptedBackend { connection, _ in
            while true {
                let head = try connection.receive(until: "\r\n\r\n")
                switch head.prefix(5) {
                case "HEAD ": try connection.send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
                case "GET /" where head.contains(" /204 "): try connection.send("HTTP/1.1 204 No Content\r\n\r\n")
                default: try connection.send("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n")
                }
            }
        }
        defer { backend.close() }
        try await withProxy(to: [backend.port]) { proxy in
            let client = try proxy.connect()
            let rest = "Host: h\r\nX-Session-ID: s\r\n\r\n"
            try client.send("HEAD / HTTP/1.1\r\n\(rest)")
            try #expect(client.receive(until: "\r\n\r\n").hasPrefix("HTTP/1.1 200 OK\r\nContent-Length: 1000"))
            try client.send("GET /204 HTTP/1.1\r\n\(rest)")
            try #expect(client.receive(until: "\r\n\r\n").withoutDate == "HTTP/1.1 204 No Content\r\n\r\n")
            try client.send("GET /304 HTTP/1.1\r\n\(rest)")
            try #expect(client.receive(until: "\r\n\r\n").hasPrefix("HTTP/1.1 304 Not Modified\r\n"))
            #expect(backend.connectionCount == 1)
        }
    }

    @Test("Expect: 100-continue is passed on, and so are interim responses, up to a number")
    func interim() async throws {
        let backend = try ScriptedBackend { connection, number in
            let head = try connection.receive(until: "\r\n\r\n")
            let count = number == 1 ? 1 : 9
            guard head.contains("Expect: 100-continue") else { return }
            for _ in 0..<count { try connection.send("HTTP/1.1 100 Continue\r\n\r\n") }
            let body = try connection.receive(until: "body")
            try connection.send(ok("got \(body)"))
        }
        defer { backend.close() }
        try await withProxy(to: [backend.port]) { proxy in
            let head =
                "POST / HTTP/1.1\r\nHost: h\r\nX-Session-ID: s\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n"
            let client = try proxy.connect()
            try client.send(head)
            try #expect(client.receive(until: "\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n")
            try client.send("body")
            try #expect(client.receive(until: "got body").hasPrefix("HTTP/1.1 200 OK\r\n"))

            let second = try proxy.connect()
            try second.send(head)
            let all = String(decoding: try second.receiveAll(), as: UTF8.self)
            #expect(all.contains("HTTP/1.1 502 Bad Gateway"))
        }
    }

    @Test("requests without a session are spread over the backends")
    func balanced() async throws {
        let backends = try (0..<3).map { try ScriptedBackend.answering(ok("b\($0)")) }
        defer { backends.forEach { $0.close() } }
        var options = ProxyHarness.Options()
        options.isSticky = false
        try await withProxy(to: backends.map(\.port), options) { proxy in
            for _ in 0..<9 { _ = try proxy.exchange("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n") }
            #expect(backends.map(\.received.count) == [3, 3, 3])
        }
    }
}

private func setCookie(of response: String) -> String {
    response.components(separatedBy: "\r\n").filter { $0.hasPrefix("Set-Cookie:") }.map { $0 + "\r\n" }.joined()
}
