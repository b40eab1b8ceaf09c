/// A head that must not become one of HTTP/1.1 (RFC 9113, sections 8.2 and 8.3).
package struct MalformedHead: Sendable {
    package let what: String
    package let fields: [(String, String)]

    package static let all: [MalformedHead] = {
        func with(_ changes: [(String, String)], without: String = "") -> [(String, String)] {
            HTTP2Frame.request.filter { $0.0 != without } + changes
        }
        func replacing(_ name: String, _ value: String) -> [(String, String)] {
            HTTP2Frame.request.map { $0.0 == name ? (name, value) : $0 }
        }
        return [
            ("CR in a value", with([("x", "a\rb")])),
            ("LF in a value", with([("x", "a\nb: c")])),
            ("CRLF in a value", with([("x", "a\r\nTransfer-Encoding: chunked")])),
            ("NUL in a value", with([("x", "a\0b")])),
            ("control in a value", with([("x", "a\u{1}b")])),
            ("DEL in a value", with([("x", "a\u{7f}b")])),
            ("space before a value", with([("x", " a")])),
            ("tab after a value", with([("x", "a\t")])),
            ("upper case in a name", with([("X-A", "a")])),
            ("space in a name", with([("x a", "a")])),
            ("colon in a name", with([("x:a", "a")])),
            ("CRLF in a name", with([("x\r\ny", "a")])),
            ("empty name", with([("", "a")])),
            ("name beyond ASCII", with([("x\u{e4}", "a")])),
            ("space in the method", replacing(":method", "GET /x HTTP/1.1\r\nA: b")),
            ("space in the path", replacing(":path", "/a b")),
            ("CRLF in the path", replacing(":path", "/ HTTP/1.1\r\nA: b\r\n\r\n")),
            ("NUL in the path", replacing(":path", "/\0")),
            ("DEL in the path", replacing(":path", "/\u{7f}")),
            ("empty path", replacing(":path", "")),
            ("path of another form", replacing(":path", "http://b.example/")),
            ("asterisk without OPTIONS", replacing(":path", "*")),
            ("space in the authority", replacing(":authority", "a b")),
            ("CRLF in the authority", replacing(":authority", "a\r\nX: y")),
            ("NUL in the authority", replacing(":authority", "a\0")),
            ("connection", with([("connection", "close")])),
            ("keep-alive", with([("keep-alive", "timeout=1")])),
            ("proxy-connection", with([("proxy-connection", "close")])),
            ("transfer-encoding", with([("transfer-encoding", "chunked")])),
            ("upgrade", with([("upgrade", "h2c")])),
            ("te", with([("te", "gzip")])),
            ("other host", with([("host", "b.example")])),
            ("path twice", with([(":path", "/b")])),
            ("method twice", with([(":method", "GET")])),
            ("authority twice", with([(":authority", "a.example")])),
            ("scheme twice", with([(":scheme", "https")])),
            ("late pseudo-header", with([("x", "y"), (":path", "/")], without: ":path")),
            ("unknown pseudo-header", with([(":other", "x")])),
            ("status in a request", with([(":status", "200")])),
            ("no method", with([], without: ":method")),
            ("no path", with([], without: ":path")),
            ("no scheme", with([], without: ":scheme")),
            ("protocol without CONNECT", with([(":protocol", "websocket")])),
            ("CONNECT with a path", replacing(":method", "CONNECT")),
            ("two lengths", with([("content-length", "0"), ("content-length", "1")])),
            ("length that is none", with([("content-length", "+1")])),
            ("length without content", with([("content-length", "5")])),
        ].map(MalformedHead.init)
    }()
}
