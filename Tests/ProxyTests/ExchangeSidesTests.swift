import HTTPWire
import Testing

@testable import Proxy

@Suite("The two halves of an exchange")
struct ExchangeSidesTests {
    private static func request(_ method: String, _ fields: String = "") throws -> RequestSide {
        let own = try LoopOfItsOwn([Described(backends: [])])
        return try own.withRequest("\(method) / HTTP/1.1\r\nHost: h\r\n\(fields)\r\n") { RequestSide($0.head) }
    }

    private static let whole = BodyPart.End.complete(trailers: [])
    private static let body = "Content-Length: 4\r\n"

    // MARK: The request

    @Test("A request without a body is complete with its head, one with a body when its end has been sent")
    func completeness() throws {
        try #expect(Self.request("GET").isComplete)
        try #expect(Self.request("POST", "Content-Length: 0\r\n").isComplete)
        var post = try Self.request("POST", Self.body)
        #expect(!post.isComplete)
        #expect(post.sent(nil, backendIsWritable: true) == .proceed)
        #expect(!post.isComplete)
        #expect(post.sent(Self.whole, backendIsWritable: true) == .complete)
        #expect(post.isComplete)
    }

    @Test("A backend that takes nothing pauses the client, unless that was the end")
    func requestBackPressure() throws {
        var post = try Self.request("POST", Self.body)
        #expect(post.sent(nil, backendIsWritable: false) == .pause)
        #expect(post.sent(Self.whole, backendIsWritable: false) == .complete)
    }

    @Test("A body that breaks a rule never becomes complete")
    func refusedBody() throws {
        var post = try Self.request("POST", "Transfer-Encoding: chunked\r\n")
        #expect(post.sent(.refused(.malformedChunkSize), backendIsWritable: true) == .refuse(.malformedChunkSize))
        #expect(!post.isComplete)
        #expect(post.connectionLost(afterInterim: false) == .giveUp)
    }

    @Test("A lost connection repeats a safe request without a body, once, and nothing else")
    func repetition() throws {
        for method in ["GET", "HEAD", "OPTIONS", "TRACE"] {
            var request = try Self.request(method)
            #expect(request.connectionLost(afterInterim: false) == .sendAgain)
            #expect(request.connectionLost(afterInterim: false) == .giveUp)
        }
        for method in ["POST", "PUT", "DELETE", "PATCH", "MKCOL"] {
            var request = try Self.request(method)
            #expect(request.connectionLost(afterInterim: false) == .giveUp)
        }
        var withBody = try Self.request("GET", Self.body)
        _ = withBody.sent(Self.whole, backendIsWritable: true)
        #expect(withBody.connectionLost(afterInterim: false) == .giveUp)
    }

    @Test("A backend that has begun to work, as an interim response shows, is not sent the request again")
    func repetitionAfterInterim() throws {
        var request = try Self.request("GET")
        #expect(request.connectionLost(afterInterim: true) == .giveUp)
    }

    @Test("A request that was not processed is sent again, three times, if no part of its body was sent")
    func notProcessed() throws {
        for method in ["GET", "POST", "DELETE"] {
            var request = try Self.request(method)
            let after = (0..<4).map { _ in request.wasNotProcessed() }
            #expect(after == [.sendAgain, .sendAgain, .sendAgain, .giveUp])
        }
        var withBody = try Self.request("POST", Self.body)
        #expect(withBody.wasNotProcessed() == .sendAgain)
        _ = withBody.sent(nil, backendIsWritable: true)
        #expect(withBody.wasNotProcessed() == .giveUp)
    }

    @Test("A backend has two connections tried before it counts as failed, and so has the next one")
    func connecting() throws {
        var request = try Self.request("POST", Self.body)
        for _ in 0..<3 {
            #expect(request.connectFailed(isUp: true) == .connectAgain)
            #expect(request.connectFailed(isUp: true) == .backendFailed)
        }
        #expect(request.connectFailed(isUp: false) == .backendFailed)
        #expect(request.connectFailed(isUp: true) == .connectAgain)
    }

    // MARK: The response

    @Test("A response ends, waits for a slow client, or is cut")
    func responseParts() {
        var response = ResponseSide()
        response.pass(status: 200)
        #expect(response.isPassing && response.status == 200)
        #expect(response.sent(nil, clientIsWritable: true) == .proceed)
        #expect(response.sent(nil, clientIsWritable: false) == .pause)
        #expect(response.sent(.refused(.malformedChunkEnd), clientIsWritable: true) == .refuse(.malformedChunkEnd))
        let trailers = Array("A: 1\r\n".utf8)
        #expect(response.sent(.complete(trailers: trailers), clientIsWritable: false) == .complete(trailers: trailers))
    }

    @Test("A head is searched for session keys once, and waits until all of them are bound")
    func heldBack() {
        var response = ResponseSide()
        #expect(response.looksForKeys() == true)
        #expect(response.looksForKeys() == false)
        response.issues(keys: 0)
        #expect(!response.isHeldBack)
        #expect(response.keyWasBound() == false)
        response.issues(keys: 2)
        #expect(response.isHeldBack && !response.isPassing)
        #expect(response.keyWasBound() == false)
        #expect(response.isHeldBack)
        #expect(response.keyWasBound() == true)
        #expect(!response.isHeldBack)
        #expect(response.keyWasBound() == false)
    }

    @Test("What fails before the head goes to the client is answered; what fails after it is cut")
    func failures() throws {
        var request = try Self.request("POST", Self.body)
        var response = ResponseSide()
        #expect(response.failed(.refused(Cause(.responseRefused)), &request) == .answer(Cause(.responseRefused)))
        #expect(response.failed(.lost(afterInterim: false), &request) == .answer(Cause(.connectionLost)))
        #expect(response.backendTimedOut(requestIsComplete: true) == .answer(Cause(.responseTimeout)))
        #expect(response.backendTimedOut(requestIsComplete: false) == .answer(Cause(.backendStalled)))
        #expect(response.clientTimedOut(requestIsComplete: false) == .answer(Cause(.requestBodyTimeout)))
        // The client has said all: it is the backend that takes too long.
        #expect(response.clientTimedOut(requestIsComplete: true) == .cut(Cause(.clientStalled)))
        response.pass(status: 200)
        for failure in [UpstreamFailure.refused(Cause(.responseRefused)), .cut, .lost(afterInterim: false)] {
            #expect(response.failed(failure, &request) == .cut(failure.cause))
        }
        #expect(response.backendTimedOut(requestIsComplete: false) == .cut(Cause(.responseStalled)))
        #expect(response.clientTimedOut(requestIsComplete: false) == .cut(Cause(.clientStalled)))
    }

    @Test("A lost connection sends a request again that may be repeated, and only before the head has gone on")
    func failuresRepeat() throws {
        var request = try Self.request("GET")
        var response = ResponseSide()
        #expect(response.failed(.lost(afterInterim: true), &request) == .answer(Cause(.connectionLost)))
        #expect(response.failed(.refused(Cause(.responseRefused)), &request) == .answer(Cause(.responseRefused)))
        #expect(
            response.failed(.lost(afterInterim: false, detail: "d"), &request)
                == .sendAgain(Cause(.connectionLost, "d")))
        response.pass(status: 200)
        #expect(response.failed(.lost(afterInterim: false), &request) == .cut(Cause(.connectionLost)))
    }

    @Test("A request that was not processed does not count as repeated")
    func failuresUnprocessed() throws {
        var request = try Self.request("GET")
        var response = ResponseSide()
        for _ in 0..<3 { #expect(response.failed(.notProcessed, &request) == .sendUnprocessed) }
        #expect(response.failed(.notProcessed, &request) == .answer(UpstreamFailure.notProcessed.cause))
        #expect(response.failed(.lost(afterInterim: false), &request) == .sendAgain(Cause(.connectionLost)))
        response.pass(status: 200)
        #expect(response.failed(.notProcessed, &request) == .cut(UpstreamFailure.notProcessed.cause))
    }

    @Test("The status is the one that the client was told first")
    func status() {
        var response = ResponseSide()
        response.answered(status: 502)
        response.answered(status: Exchange.clientClosedRequest)
        #expect(response.status == 502)
        response.pass(status: 404)
        #expect(response.status == 404)
    }
}
