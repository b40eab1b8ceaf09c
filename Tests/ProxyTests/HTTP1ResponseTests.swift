import HTTPWire
import NIOCore
import NIOEmbedded
import Testing

@testable import Proxy

@Suite("A response as it comes over a backend's connection")
struct HTTP1ResponseTests {
    /// A connection's response and its input, told as text what is read of it.
    private struct Reading {
        let loop: LoopContext
        var response: HTTP1Response
        var bytes = ByteBuffer()
        /// Heads are held back instead of passed on.
        var holdsBack = false
        var told: [String] = []

        init(_ limits: ProxyLimits = .init(), to method: Method = .get) {
            loop = LoopOfItsOwn.context(on: EmbeddedEventLoop(), limits: limits)
            response = HTTP1Response(limits: limits)
            response.begin(method)
        }

        mutating func take(_ text: String) {
            bytes.writeString(text)
            while bytes.readableBytes > 0 {
                let event = response.read(&bytes, loop)
                note(event)
                switch event {
                case .interim(let head): bytes.moveReaderIndex(forwardBy: head.length)
                case .head(let head) where !holdsBack:
                    response.passedHead(head, limits: loop.limits.message)
                    bytes.moveReaderIndex(forwardBy: head.length)
                    return note(.body(response.readBody(&bytes, loop.responseFields)))
                case .head: return response.holdBack()
                case .wait, .body, .heldTooMuch, .failed: return
                }
            }
        }

        mutating func note(_ event: HTTP1Response.Event) {
            switch event {
            case .wait: told.append("wait")
            case .interim(let head): told.append("interim \(head.status)")
            case .head(let head): told.append("head \(head.status)")
            case .body(let part):
                let end = part.end.map { $0 == .complete(trailers: []) ? "." : " \($0)" } ?? ""
                told.append("body \(String(buffer: part.content))\(end)")
            case .heldTooMuch: told.append("held too much")
            case .failed(.refused(let cause)):
                told.append(([cause.reason.rawValue] + [cause.detail].compactMap(\.self)).joined(separator: " "))
            case .failed(let failure): told.append("\(failure)")
            }
        }
    }

    private static let head = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"

    @Test("A response is told as head and body, and the connection can be used again")
    func whole() {
        var reading = Reading()
        reading.take(Self.head + "hello")
        #expect(reading.told == ["head 200", "body hello."])
        #expect(reading.response.mayBeFollowed)
    }

    @Test("A part of the body follows each head in the same turn, even an empty one")
    func firstPart() {
        var reading = Reading()
        reading.take(Self.head)
        #expect(reading.told == ["head 200", "body "])
        reading.take("he")
        reading.take("llo")
        #expect(reading.told.suffix(2) == ["body he", "body llo."])
        var bodiless = Reading(to: .head)
        bodiless.take(Self.head)
        #expect(bodiless.told == ["head 200", "body ."] && bodiless.response.mayBeFollowed)
    }

    @Test("A head that comes in pieces is told once it is whole")
    func pieces() {
        var reading = Reading()
        for byte in Self.head.unicodeScalars.dropLast() { reading.take(String(byte)) }
        #expect(reading.told.allSatisfy { $0 == "wait" })
        reading.take("\n")
        #expect(reading.told.suffix(2) == ["head 200", "body "])
    }

    @Test("Interim responses come before the one that counts, up to the limit")
    func interim() {
        var limits = ProxyLimits()
        limits.interimResponses = 2
        let hint = "HTTP/1.1 103 Early Hints\r\n\r\n"
        var reading = Reading(limits)
        reading.take("HTTP/1.1 100 Continue\r\n\r\n" + hint + Self.head)
        #expect(reading.told == ["interim 100", "interim 103", "head 200", "body "])
        var tooMany = Reading(limits)
        tooMany.take(hint + hint + hint)
        #expect(tooMany.told == ["interim 103", "interim 103", "response_refused more than 2 interim responses"])
        #expect(!tooMany.response.mayBeFollowed)
    }

    @Test("A change of protocol that nobody asked for fails, and so does anything but a response")
    func malformed() {
        let texts = [
            ("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", "switch_refused"),
            ("SSH-2.0-x\r\n", "response_refused the "),
        ]
        for (text, cause) in texts {
            var reading = Reading()
            reading.take(text)
            #expect(reading.told.count == 1 && reading.told[0].hasPrefix(cause) && !reading.response.mayBeFollowed)
        }
    }

    @Test("Bytes behind the end, or a backend that closes, leave the connection to nobody")
    func notFollowed() {
        var surplus = Reading()
        surplus.take(Self.head + "helloHTTP/1.1")
        #expect(!surplus.response.mayBeFollowed)
        var closing = Reading()
        closing.take("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        #expect(closing.told == ["head 200", "body ."] && !closing.response.mayBeFollowed)
        var halfWay = Reading()
        halfWay.take(Self.head + "he")
        #expect(!halfWay.response.mayBeFollowed)
    }

    @Test("A connection that closes loses a response without a head, ends one without a length, and cuts all others")
    func closed() {
        var none = Reading()
        none.note(none.response.connectionClosed())
        #expect(none.told == ["lost(afterInterim: false, detail: nil)"])
        var interim = Reading()
        interim.take("HTTP/1.1 100 Continue\r\n\r\n")
        interim.note(interim.response.connectionClosed())
        #expect(interim.told.last == "lost(afterInterim: true, detail: nil)")
        var open = Reading()
        open.take("HTTP/1.1 200 OK\r\n\r\nhello")
        open.note(open.response.connectionClosed())
        #expect(open.told == ["head 200", "body hello", "body ."])
        var short = Reading()
        short.take(Self.head + "he")
        short.note(short.response.connectionClosed())
        #expect(short.told.last == "cut")
    }

    @Test("A connection that fails cuts a response without a length")
    func failed() {
        var reading = Reading()
        reading.take("HTTP/1.1 200 OK\r\n\r\nhello")
        reading.response.connectionFailed()
        reading.note(reading.response.connectionClosed())
        #expect(reading.told.last == "cut")
    }

    @Test("A head that is held back is told again, with all that came behind it")
    func heldBack() {
        var reading = Reading()
        reading.holdsBack = true
        reading.take(Self.head + "he")
        reading.take("llo")
        #expect(reading.told == ["head 200", "wait"] && reading.response.isHeldBack)
        reading.note(reading.response.connectionClosed())
        #expect(reading.told.last == "wait" && reading.response.isHeldBack)
        reading.holdsBack = false
        #expect(reading.response.passHead() == true)
        #expect(reading.response.passHead() == false)
        reading.take("")
        #expect(reading.told.suffix(2) == ["head 200", "body hello."])
    }

    @Test("What is held back is bounded")
    func heldTooMuch() {
        var reading = Reading()
        reading.holdsBack = true
        reading.take(Self.head)
        reading.take(String(repeating: "x", count: HTTP1Response.heldMax - Self.head.utf8.count))
        #expect(reading.told.last == "wait")
        reading.take("x")
        #expect(reading.told.last == "held too much")
    }

    @Test("Nothing of one response is left over in the next")
    func next() {
        var reading = Reading()
        reading.take("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        reading.response.begin(.get)
        #expect(!reading.response.mayBeFollowed)
        reading.note(reading.response.connectionClosed())
        #expect(reading.told.last == "lost(afterInterim: false, detail: nil)")
    }
}
