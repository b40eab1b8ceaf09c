import HTTPWire
import Testing

@Suite("Request heads")
struct RequestHeadTests {
    @Test("every part of a head is found where it stands")
    func parts() throws {
        let text =
            "POST /a/b?x=1&y=%20 HTTP/1.1\r\nHost: shop.example:8080\r\nCookie:\t sid=1 \r\nX-Empty:\r\n"
            + "content-LENGTH: 5\r\n\r\nhello"
        let values = try #require(scanRequest(text).values)
        #expect(values.head.method == .post)
        #expect(values.method == "POST")
        #expect(values.target == "/a/b?x=1&y=%20")
        #expect(values.path == "/a/b")
        #expect(values.query == "x=1&y=%20")
        #expect(values.authority == nil)
        #expect(values.host == "shop.example:8080")
        #expect(values.head.version == .http11)
        #expect(values.head.framing == .length(5))
        #expect(values.head.isPersistent)
        #expect(values.head.length == text.utf8.count - 5)
        #expect(values.fields.map(\.name) == ["Host", "Cookie", "X-Empty", "content-LENGTH"])
        #expect(values.fields.map(\.text) == ["shop.example:8080", "sid=1", "", "5"])
        #expect(values.fields.map(\.kind) == [.host, .cookie, .other, .contentLength])
    }

    @Test("a head is read alike wherever it is cut in two, and refused nowhere before its end")
    func prefixes() {
        let whole = bytes("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        for cut in 0..<whole.count {
            #expect(scanRequest(Array(whole[..<cut])) == .incomplete, "cut at \(cut)")
        }
        #expect(scanRequest(whole).values?.head.length == whole.count)
    }
}
