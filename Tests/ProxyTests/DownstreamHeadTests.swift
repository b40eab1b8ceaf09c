import HTTPWire
import NIOCore
import Testing

@testable import Proxy

@Suite("The head of a response, as the client sees it")
struct DownstreamHeadTests {
    private struct Malformed: Error {}

    /// The lines of the head that a client gets for a backend's.
    private static func lines(
        _ response: String, connection: ResponseFraming.Persistence = .none, addsTransferEncoding: Bool = false,
        removesTransferEncoding: Bool = false, setCookie: String = "", edits: FieldEdits? = nil
    ) throws -> [String] {
        let framing = ResponseFraming(
            coding: .plain, addsTransferEncoding: addsTransferEncoding,
            removesTransferEncoding: removesTransferEncoding, connection: connection)
        let additions = ResponseAdditions(setCookie: Array(setCookie.utf8), edits: edits)
        return try rendered(response) {
            DownstreamHead.write($0, framing, adding: additions, date: { Array("Date: now\r\n".utf8) }, into: &$1)
        }.filter { $0 != "Date: now" }
    }

    private static func rendered(
        _ response: String, _ write: (ResponseView, inout ByteBuffer) -> Void
    ) throws -> [String] {
        let fields = FieldTable(capacity: 100)
        var buffer = ByteBuffer()
        try Array(response.utf8).withUnsafeBytes { bytes in
            let scan = HeadScanner(limits: MessageLimits()).scanResponse(bytes, requestMethod: .get, into: fields)
            guard case .head(let head) = scan else { throw Malformed() }
            write(ResponseView(head: head, bytes: bytes, fields: fields), &buffer)
        }
        let text = String(buffer: buffer)
        try #require(text.hasSuffix("\r\n\r\n"))
        // A line end is one character.
        return text.dropLast(2).split(separator: "\r\n", omittingEmptySubsequences: false).map(String.init)
    }

    /// A backend's head of these field lines.
    private static func head(_ fields: String..., status: String = "HTTP/1.1 200 OK") -> String {
        ([status] + fields).map { $0 + "\r\n" }.joined() + "\r\n"
    }

    @Test(
        "has the backend's status and reason, and our version",
        arguments: [
            ("HTTP/1.0 200 OK", "HTTP/1.1 200 OK"), ("HTTP/1.1 404 Not  here", "HTTP/1.1 404 Not  here"),
            ("HTTP/1.1 299 ", "HTTP/1.1 299 "), ("HTTP/1.1 299", "HTTP/1.1 299 "),
            ("HTTP/1.1 204 ", "HTTP/1.1 204 No Content"), ("HTTP/1.0 404", "HTTP/1.1 404 Not Found"),
        ])
    func statusLine(_ sent: String, _ seen: String) throws {
        try #expect(Self.lines(Self.head("Content-Length: 0", status: sent)).first == seen)
    }

    @Test("has the backend's fields as they were written, in their order, those alone left out that end here")
    func fields() throws {
        let head = Self.head(
            "x-odd:  spaced \t", "Connection: x-mine, close", "Content-Length: 3", "X-Mine: hop",
            "Keep-Alive: timeout=5",
            "Set-Cookie: a=1", "X-Odd: again", "Proxy-Connection: x", "Set-Cookie: b=2")
        #expect(
            try Self.lines(head).dropFirst() == [
                "x-odd:  spaced \t", "Content-Length: 3", "Set-Cookie: a=1", "X-Odd: again", "Set-Cookie: b=2",
            ])
    }

    @Test(
        "says once what becomes of the connection, where that is not what the version says",
        arguments: [
            (ResponseFraming.Persistence.close, ["Connection: close"]), (.keepAlive, ["Connection: keep-alive"]),
            (.none, []),
        ])
    func connection(_ persistence: ResponseFraming.Persistence, _ said: [String]) throws {
        let head = Self.head("Connection: keep-alive", "Content-Length: 0")
        let lines = try Self.lines(head, connection: persistence)
        #expect(lines.filter { $0.lowercased().hasPrefix("connection") } == said)
    }

    @Test("says that the body comes in chunks where the client gets it so, whatever the backend said")
    func chunks() throws {
        func said(_ fields: String..., adds: Bool = false, removes: Bool = false) throws -> [String] {
            let head = (["HTTP/1.1 200 OK"] + fields).map { $0 + "\r\n" }.joined() + "\r\n"
            return try Self.lines(head, addsTransferEncoding: adds, removesTransferEncoding: removes)
                .filter { $0.hasPrefix("Transfer-Encoding") }
        }
        let chunked = "Transfer-Encoding: chunked"
        try #expect(said(chunked) == [chunked])
        try #expect(said(chunked, removes: true) == [])
        try #expect(said("X: y", adds: true) == [chunked])
        try #expect(said("X: y") == [] && said("X: y", removes: true) == [])
    }

    @Test("has our cookies behind the backend's, which stay")
    func cookies() throws {
        let head = Self.head("Set-Cookie: a=1", "Content-Length: 0")
        let lines = try Self.lines(head, setCookie: "Set-Cookie: own=2\r\nSet-Cookie: outer=3\r\n")
        #expect(
            lines.filter { $0.hasPrefix("Set-Cookie") } == [
                "Set-Cookie: a=1", "Set-Cookie: own=2", "Set-Cookie: outer=3",
            ])
    }

    @Test("is what middlewares make of it; our own cookies are none of theirs")
    func edits() throws {
        var edits = FieldEdits()
        edits.apply([
            .remove(name: "Set-Cookie"), .set(name: "Server", value: "none"),
            .add(name: "X-More", value: Array("2".utf8)),
        ])
        let head = Self.head("SERVER: inside", "set-cookie: a=1", "X-More: 1", "Content-Length: 0", "server: twice")
        let lines = try Self.lines(head, setCookie: "Set-Cookie: own=2\r\n", edits: edits)
        #expect(
            lines.dropFirst() == ["X-More: 1", "Content-Length: 0", "Server: none", "X-More: 2", "Set-Cookie: own=2"])
    }

    @Test("of an interim response keeps what it tells, and says nothing of the connection")
    func interim() throws {
        let head = Self.head(
            "Link: </a.css>; rel=preload", "Connection: close, x", "X: hop", status: "HTTP/1.1 103 Early Hints")
        let lines = try Self.rendered(head) { DownstreamHead.writeInterim($0, into: &$1) }
        #expect(lines == ["HTTP/1.1 103 Early Hints", "Link: </a.css>; rel=preload"])
    }

    @Test("has room for all that can come together, in the largest head that is taken")
    func largest() throws {
        let limits = MessageLimits()
        let size = limits.fieldSection / limits.fieldCount
        let line = "X-Field: \(String(repeating: "v", count: size - 11))\r\n"
        var section = String(repeating: line, count: limits.fieldCount)
        section = String(repeating: "X", count: limits.fieldSection - section.utf8.count) + section
        var edits = FieldEdits()
        for number in 0..<50 { edits.apply(.set(name: "Y-\(number)", value: String(repeating: "y", count: 100))) }
        let cookie = "Set-Cookie: own=\(String(repeating: "c", count: 4000))"
        let lines = try Self.lines(
            "HTTP/1.1 200 OK\r\n\(section)\r\n", connection: .close, addsTransferEncoding: true,
            setCookie: cookie + "\r\n", edits: edits)
        #expect(section.utf8.count == limits.fieldSection)
        #expect(lines.count == 1 + limits.fieldCount + 50 + 3)
        #expect(lines.suffix(3) == [cookie, "Transfer-Encoding: chunked", "Connection: close"])
    }
}
