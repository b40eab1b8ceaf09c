import HTTPWire
import Testing

@testable import Proxy

@Suite("What is written anew in the head that a client is sent")
struct DownstreamRewritingTests {
    @Test("has a space behind the status, whether a reason follows or not")
    func statusLine() throws {
        let rest = "\r\nDate: d\r\nContent-Length: 0\r\n\r\n"
        for (came, sent) in [
            ("HTTP/1.1 299", "HTTP/1.1 299 "), ("HTTP/1.1 299 ", "HTTP/1.1 299 "), ("HTTP/1.1 200 ", "HTTP/1.1 200 OK"),
            ("HTTP/1.0 404 No", "HTTP/1.1 404 No"),
        ] {
            #expect(try Rendered.downstream(came + rest) == sent + rest)
        }
    }

    @Test("says the date where the backend does not")
    func date() throws {
        #expect(
            try Rendered.downstream("HTTP/1.1 200 OK\r\nA: 1\r\n\r\n") == "HTTP/1.1 200 OK\r\nA: 1\r\nDate: now\r\n\r\n"
        )
        #expect(
            try Rendered.downstream("HTTP/1.1 200 OK\r\ndate: then\r\n\r\n") == "HTTP/1.1 200 OK\r\ndate: then\r\n\r\n")
        // What middlewares do with it is theirs.
        let removed = try Rendered.downstream("HTTP/1.1 200 OK\r\nDate: x\r\n\r\n", edits: [.remove(name: "Date")])
        #expect(removed == "HTTP/1.1 200 OK\r\n\r\n")
        for edit in [FieldEdit.set(name: "Date", value: "set"), .add(name: "date", value: Array("set".utf8))] {
            let head = try Rendered.downstream("HTTP/1.1 200 OK\r\n\r\n", edits: [edit])
            #expect(head.lowercased() == "http/1.1 200 ok\r\ndate: set\r\n\r\n")
        }
    }

    @Test("says no transfer coding to HTTP/1.0, also where there is no body")
    func transferEncoding() throws {
        let response = "HTTP/1.1 200 OK\r\nDate: d\r\nTransfer-Encoding: chunked\r\n\r\n"
        let plain = "HTTP/1.1 200 OK\r\nDate: d\r\nConnection: close\r\n\r\n"
        for method in [HTTPWire.Method.get, .head] {
            #expect(try Rendered.downstream(response, to: method, closes: true, isHTTP10: true) == plain)
        }
        let unchanged = response.replacing("200 OK", with: "304 Not Modified")
        let sent = try Rendered.downstream(unchanged, closes: true, isHTTP10: true)
        #expect(sent == plain.replacing("200 OK", with: "304 Not Modified"))
        #expect(try Rendered.downstream(response, to: .head) == response)
    }

    @Test("says in a 426 what to upgrade to, and in no other")
    func upgrade() throws {
        func head(_ status: String, closes: Bool, isHTTP10: Bool = false) throws -> String {
            let fields = "Date: d\r\nUpgrade: TLS/1.2, HTTP/1.1\r\nConnection: X, Upgrade\r\nX: 1\r\n"
            let response = "HTTP/1.1 \(status)\r\n\(fields)\r\n"
            return try Rendered.downstream(response, closes: closes, isHTTP10: isHTTP10)
        }
        let start = "HTTP/1.1 426 Upgrade Required\r\nDate: d\r\nUpgrade: TLS/1.2, HTTP/1.1\r\nConnection: "
        #expect(try head("426 Upgrade Required", closes: false) == start + "upgrade\r\n\r\n")
        #expect(try head("426 Upgrade Required", closes: true) == start + "close, upgrade\r\n\r\n")
        #expect(
            try head("426 Upgrade Required", closes: false, isHTTP10: true) == start + "keep-alive, upgrade\r\n\r\n")
        #expect(try head("200 OK", closes: false) == "HTTP/1.1 200 OK\r\nDate: d\r\n\r\n")
        #expect(try head("200 OK", closes: true) == "HTTP/1.1 200 OK\r\nDate: d\r\nConnection: close\r\n\r\n")
    }
}
