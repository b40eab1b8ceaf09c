import LimpetTestKit

/// Messages that are right and must be served, and heads that are wrong.
extension HTTP2ProtocolCase {
    /// A request that the backend answers at once.
    static func quick(
        _ stream: UInt32 = 1, _ method: String = "GET", ends: Bool = true, _ more: [(String, String)] = []
    ) -> [UInt8] {
        HTTP2Frame.head(stream: stream, ends: ends, quickFields(method) + more)
    }

    static func quickFields(_ method: String = "GET") -> [(String, String)] {
        HTTP2Frame.request.map { $0.0 == ":method" ? ($0.0, method) : $0 }
    }

    static let quickBlock = HTTP2Frame.block(quickFields())
    private static let test = Array("test".utf8)

    /// RFC 7540, section 6.3: a stream that this one depends on, and a weight less one.
    private static func dependency(on stream: UInt32, isExclusive: Bool = false, _ weight: UInt8) -> [UInt8] {
        (0..<4).map { UInt8(truncatingIfNeeded: stream >> UInt32(24 - 8 * $0)) | ($0 == 0 && isExclusive ? 0x80 : 0) }
            + [weight]
    }

    static let served = methods + bodies + priorities + connections

    private static let methods = [
        HTTP2ProtocolCase("8.1", "GET", quick(), is: .served),
        HTTP2ProtocolCase("8.1", "HEAD", quick(1, "HEAD"), is: .served),
        HTTP2ProtocolCase("8.1", "POST", quick(1, "POST", ends: false), frame(data, 1, on: 1, test), is: .served),
        HTTP2ProtocolCase(
            "8.1", "POST with trailers", quick(1, "POST", ends: false, [("trailer", "x-test")]),
            frame(data, 0, on: 1, test), frame(headers, 5, on: 1, HTTP2Frame.block([("x-test", "ok")])), is: .served),
    ]

    private static let bodies = [
        HTTP2ProtocolCase(
            "6.1", "content in two frames", quick(1, "POST", ends: false), frame(data, 0, on: 1, test),
            frame(data, 1, on: 1, test), is: .served),
        HTTP2ProtocolCase(
            "6.1", "content and padding", quick(1, "POST", ends: false),
            frame(data, 9, on: 1, [5] + test + [0, 0, 0, 0, 0]),
            is: .served),
        HTTP2ProtocolCase(
            "6.2", "a head with padding", frame(headers, 13, on: 1, [8] + quickBlock + [UInt8](repeating: 0, count: 8)),
            is: .served),
        HTTP2ProtocolCase(
            "6.2", "a head with a priority", frame(headers, 0x25, on: 1, dependency(on: 0, 255) + quickBlock),
            is: .served),
    ]

    private static let priorities = [
        HTTP2ProtocolCase(
            "6.3", "the least weight", frame(priority, 0, on: 1, dependency(on: 0, 0)), quick(), is: .served),
        HTTP2ProtocolCase(
            "6.3", "the largest weight", frame(priority, 0, on: 1, dependency(on: 0, 255)), quick(), is: .served),
        HTTP2ProtocolCase(
            "6.3", "a dependency", frame(priority, 0, on: 3, dependency(on: 1, 255)), quick(), is: .served),
        HTTP2ProtocolCase(
            "6.3", "an exclusive dependency", frame(priority, 0, on: 1, dependency(on: 0, isExclusive: true, 255)),
            quick(),
            is: .served),
        HTTP2ProtocolCase(
            "6.3", "a priority of a later stream", frame(priority, 0, on: 3, dependency(on: 0, 255)), quick(),
            is: .served),
        HTTP2ProtocolCase(
            "5.1", "a priority of an idle stream", frame(priority, 0, on: 1, dependency(on: 0, 255)), is: .fine),
        // RFC 9113 has no such mistake any more. libnghttp2 knows one of the two.
        HTTP2ProtocolCase(
            "5.3.2", "a stream that depends on itself",
            frame(headers, 0x25, on: 1, dependency(on: 1, 255) + quickBlock),
            is: .streamError(protocolError)),
        HTTP2ProtocolCase(
            "5.3.2", "a priority that depends on itself", frame(priority, 0, on: 1, dependency(on: 1, 255)), is: .fine),
    ]

    private static let connections = [
        {
            var one = HTTP2ProtocolCase(
                "3.4", "a preface of another kind", Array("INVALID CONNECTION PREFACE\r\n\r\n".utf8), is: .closed)
            one.hasPreface = false
            return one
        }(),
        HTTP2ProtocolCase("3.4", "nothing but a preface", is: .fine),
        HTTP2ProtocolCase(
            "6.5", "every setting",
            frame(
                settings, 0, on: 0,
                setting(1, 4096) + setting(2, 1) + setting(3, 100) + setting(4, 65_535) + setting(5, 16_384)
                    + setting(6, 100)),
            once: .acknowledgement, then: quick(), is: .served),
        HTTP2ProtocolCase("6.7", "a ping", frame(ping, 0, on: 0, eight), is: .fine),
        HTTP2ProtocolCase(
            "6.8", "a goodbye", frame(goAway, 0, on: 0, [UInt8](repeating: 0, count: 8) + test), is: .fineOrOver),
        HTTP2ProtocolCase(
            "7", "a goodbye with an unknown error", frame(goAway, 0, on: 0, [0, 0, 0, 0, 0, 0, 0, 0xff]),
            is: .fineOrOver),
        HTTP2ProtocolCase("6.9", "a window of the connection", frame(window, 0, on: 0, [0, 0, 0, 1]), is: .fine),
        HTTP2ProtocolCase("6.9", "a window of a stream", quick(), frame(window, 0, on: 1, [0, 0, 0, 1]), is: .served),
        HTTP2ProtocolCase(
            "6.4", "a reset", request(ends: false), frame(reset, 0, on: 1, [0, 0, 0, 8]), is: .fine),
    ]

    static let malformedHeads =
        MalformedHead.all.map { one in
            HTTP2ProtocolCase(
                "8.2", one.what, HTTP2Frame.head(one.fields), is: .streamError(protocolError))
        } + [
            HTTP2ProtocolCase(
                "8.3", "a pseudo-header field in trailers", request(ends: false), frame(data, 0, on: 1, test),
                frame(headers, 5, on: 1, HTTP2Frame.block([(":method", "POST")])), is: .streamError(protocolError)),
            HTTP2ProtocolCase(
                "8.1.1", "more content than its length", request(ends: false, [("content-length", "1")]),
                frame(data, 1, on: 1, test), is: .streamError(protocolError)),
            HTTP2ProtocolCase(
                "8.1.1", "more content than its length, in two frames", request(ends: false, [("content-length", "1")]),
                frame(data, 0, on: 1, test), frame(data, 1, on: 1, test), is: .streamError(protocolError)),
        ]
}
