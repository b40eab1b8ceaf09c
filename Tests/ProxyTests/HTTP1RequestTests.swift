import HTTPWire
import NIOCore
import Testing

@testable import Proxy

@Suite("What a response means for the client's connection")
struct HTTP1RequestTests {
    /// The state of a connection on which a request with these lines has come, without its body.
    private static func request(_ version: String = "1.1", _ fields: String = "") throws -> HTTP1Request {
        let own = try LoopOfItsOwn([Described(backends: [])])
        var request = HTTP1Request(limits: MessageLimits())
        try own.withRequest("POST / HTTP/\(version)\r\nHost: h\r\n\(fields)\r\n") { request.begin($0.head) }
        return request
    }

    private let fields = FieldTable(capacity: 10)
    private static let keepAlive = "Connection: keep-alive\r\n"

    @Test("HTTP/1.1 lives on without a word; a body without a length is sent in chunks")
    func current() throws {
        for (framing, coding, adds) in [
            (BodyFraming.length(5), ConnectionOutput.Coding.plain, false), (.none, .plain, false),
            (.chunked, .chunked, false), (.untilClose, .chunked, true),
        ] {
            var request = try Self.request()
            let sent = request.answer(with: framing, mayPersist: true)
            #expect(sent.coding == coding && sent.addsTransferEncoding == adds && sent.connection == .none)
            #expect(request.persists && !request.responseEndsWithConnection)
        }
    }

    @Test("HTTP/1.0 lives on where it asked for it and the body has a length; else the body ends with the connection")
    func old() throws {
        var plain = try Self.request("1.0")
        #expect(plain.answer(with: .length(5), mayPersist: true).connection == .close)
        #expect(!plain.persists)
        var kept = try Self.request("1.0", Self.keepAlive)
        #expect(kept.answer(with: .length(5), mayPersist: true).connection == .keepAlive)
        #expect(kept.persists)
        for framing in [BodyFraming.chunked, .untilClose] {
            var unknown = try Self.request("1.0", Self.keepAlive)
            let sent = unknown.answer(with: framing, mayPersist: true)
            #expect(sent.connection == .close && sent.coding == .plain && sent.removesTransferEncoding)
            #expect(!sent.addsTransferEncoding && !unknown.persists && unknown.responseEndsWithConnection)
        }
    }

    @Test("A connection closes that the client closes, that the replica's stop closes, or whose request is not whole")
    func closing() throws {
        var asking = try Self.request("1.1", "Connection: close\r\n")
        #expect(asking.answer(with: .length(5), mayPersist: true).connection == .close)
        var stopping = try Self.request()
        #expect(stopping.answer(with: .length(5), mayPersist: false).connection == .close)
        var early = try Self.request("1.1", "Content-Length: 4\r\n")
        #expect(!early.isComplete)
        #expect(early.answer(with: .length(5), mayPersist: true).connection == .close)
        var body = ByteBuffer(string: "body")
        var whole = try Self.request("1.1", "Content-Length: 4\r\n")
        _ = whole.readBody(&body, fields)
        #expect(whole.isComplete)
        #expect(whole.answer(with: .length(5), mayPersist: true).connection == .none)
    }

    @Test("A response of our own keeps the connection as one of a backend would")
    func own() throws {
        var plain = try Self.request()
        #expect(plain.answer(mayPersist: true) == true)
        var early = try Self.request("1.1", "Content-Length: 4\r\n")
        #expect(early.answer(mayPersist: true) == false)
        var stopping = try Self.request()
        #expect(stopping.answer(mayPersist: false) == false)
        #expect(!stopping.persists)
    }

    @Test("Nothing of one request is left over in the next")
    func next() throws {
        let own = try LoopOfItsOwn([Described(backends: [])])
        var request = try Self.request("1.0", "Content-Length: 4\r\n")
        _ = request.answer(with: .chunked, mayPersist: true)
        try own.withRequest("GET / HTTP/1.1\r\nHost: h\r\n\r\n") { request.begin($0.head) }
        #expect(request.isComplete && request.persists && !request.responseEndsWithConnection)
        #expect(request.version == .http11)
    }
}
