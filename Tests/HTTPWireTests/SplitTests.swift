import HTTPWire
import Testing

@Suite("Messages that come in pieces")
struct SplitTests {
    static let heads = [
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "\r\nGET / HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n", "GET / HTTP/1.0\r\n\r\n",
        "GET /very/long/path?with=a&query=string HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n",
        "G@T / HTTP/1.1\r\n", "GET / HTTP/1.x\r\n\r\n", "GET / HTTP/1.1\r\n\r\n", "\r\n\r\n", "\nGET", "\rGET",
        "GET / HTTP/1.1\r\nHost: a\r\n X: y\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n",
        "GET / HTTP/1.1\nHost: a\n\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n\n", "GET / HTTP/1.1\r\nHost: a\rX: y\r\n\r\n", "GET / HTTP/2.0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", "GET /\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nTransfer_Encoding: chunked\r\n\r\n", "CONNECT a:1 HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: " + String(repeating: "x", count: 90) + "\r\n\r\n",
        "GET /" + String(repeating: "x", count: 90) + " HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nA: 1\r\nB: 1\r\nC: 1\r\nD: 1\r\nE: 1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n" + String(repeating: "A: 345678901234567890\r\n", count: 4) + "\r\n",
    ]
    static let limits: MessageLimits = {
        var limits = MessageLimits()
        limits.requestLine = 80
        limits.field = 70
        limits.fieldSection = 80
        limits.fieldCount = 5
        limits.chunkExtension = 20
        return limits
    }()

    @Test("a prefix of a head is incomplete, or has the verdict of the whole", arguments: heads)
    func verdict(text: String) {
        let head = bytes(text)
        let whole = scanRequest(head, limits: Self.limits)
        #expect(whole != .incomplete)
        for cut in 0..<head.count {
            let part = scanRequest(Array(head[..<cut]), limits: Self.limits)
            #expect(part == .incomplete || part == whole, "cut at \(cut)")
        }
    }

    @Test("one who scans only when told finds every head at its last byte, and refuses early enough", arguments: heads)
    func headEnd(text: String) {
        let head = bytes(text)
        for step in [1, 2, 3, 7, head.count] {
            var end = HeadEnd(limits: Self.limits)
            var found = Scanned<RequestValues>.incomplete
            var length = 0
            while length < head.count && found == .incomplete {
                length = min(length + step, head.count)
                let part = Array(head[..<length])
                let isFirst = length == min(step, head.count)
                if isFirst || part.withUnsafeBytes({ end.find(in: $0) }) {
                    found = scanRequest(part, limits: Self.limits)
                }
            }
            // A lone CR shows itself to nobody until a line ends, a limit is passed or the bytes have doubled.
            let expected = text == "\rGET" && step < 2 ? .incomplete : scanRequest(head, limits: Self.limits)
            #expect(found == expected, "step \(step)")
        }
    }

    @Test("a sender of single bytes has its head scanned a few times, not once a byte")
    func linear() {
        let head = bytes(
            "GET / HTTP/1.1\r\nHost: a\r\n" + String(repeating: "X: 345678901234567890\r\n", count: 95) + "\r\n")
        var end = HeadEnd()
        var scans = 0
        for length in 1...head.count where head[..<length].withUnsafeBytes({ end.find(in: $0) }) { scans += 1 }
        #expect(scans > 0 && scans < 10)
    }

    @Test("nonsense without a line end is scanned again long before the limit")
    func doubling() {
        var end = HeadEnd()
        var scanned = 0
        for length in 1...1024 {
            if Array(repeating: UInt8(0x61), count: length).withUnsafeBytes({ end.find(in: $0) }) { scanned = length }
        }
        #expect(scanned >= 512)
        let tooLong = Array(repeating: UInt8(0x61), count: 16 * 1024 + 1)
        #expect(tooLong.withUnsafeBytes { end.find(in: $0) })
    }

    @Test(
        "a body is the same in one piece, in every two, and byte by byte",
        arguments: [
            "5\r\nhello\r\n0\r\n\r\n", "5;a=\"b\\\"\"\r\nhello\r\n3\r\nabc\r\n0\r\nX: y\r\nZ: w\r\n\r\nGET",
            "5\r\nhello0\r\n\r\n",
            "1\r\nx\r\n0\r\nHost: a\r\n\r\n", "1\r\nx\r\n0\r\nX: \0\r\n\r\n", "1\r\nx\rx", "1\nx", "1;\r\n", "zz\r\n",
            "0\r\nX: " + String(repeating: "x", count: 90) + "\r\n\r\n",
            "0\r\n" + String(repeating: "X: 1\r\n", count: 9) + "\r\n",
            "0\r\n" + String(repeating: "A: 345678901234567890\r\n", count: 4) + "\r\n",
            "0;" + String(repeating: "x", count: 50) + "\r\n\r\n", "0\r\n\rX\r\n\r\n", "0\r\nX: y\n\r\n",
            "0\r\nX: y\rz\r\n\r\n", "5 \r\nhello\r\n0\t\r\n\r\n", "5 ; a\t= \"b\u{E9}\" ;c\r\nhello\r\n0\r\n\r\n",
            "1  x\r\n", "0\r\nDate: x\r\nA: 1\r\nX-Dropped: 1\r\nRange: y\r\nB: 2\r\n\r\nGET",
            "1" + String(repeating: " ", count: 21) + "\r\nx",
        ], [BodyScanner.Sender.client, .backend])
    func bodies(text: String, sender: BodyScanner.Sender) {
        let body = bytes(text)
        for framing in [BodyFraming.chunked, .length(UInt64(body.count) / 2), .untilClose] {
            func feed(_ pieces: [ArraySlice<UInt8>]) -> BodyResult {
                feedBody(framing, pieces, from: sender, limits: Self.limits)
            }
            let whole = feed([body[...]])
            #expect(whole.accepted == Array(body.prefix(whole.accepted.count)))
            for cut in body.indices {
                #expect(feed([body[..<cut], body[cut...]]) == whole, "cut at \(cut)")
            }
            #expect(feed(body.indices.map { body[$0...$0] }) == whole)
            // The next proxy reads the same content and the same trailers.
            if framing == .chunked, whole.outcome == .complete {
                let passedOn = whole.passedOn(framing)
                let again = feedBody(framing, [passedOn[...]], from: .client, limits: Self.limits)
                #expect(again.content == whole.content && again.outcome == .complete && again.accepted == passedOn)
                #expect(again.trailers == whole.trailers.filter { !$0.hasPrefix("(") })
            }
        }
    }
}
