import Testing

/// The cases of h2spec (github.com/summerwind/h2spec), by its sections, and what we have for each, in its order.
@Suite("h2spec")
struct H2SpecTests {
    private static let generic: [String: [String]] = [
        "1": ["3.4 nothing but a preface"],
        "2": [
            "5.1 a priority of an idle stream", "5.1 a window after the end", "5.1 a priority after the end",
            "5.1 a window and a reset after the end", "5.1 a priority of a stream that is over",
        ],
        "3.1": ["8.1 POST", "6.1 content in two frames", "6.1 content and padding"],
        "3.2": ["8.1 GET", "6.2 a head with padding", "6.2 a head with a priority"],
        "3.3": [
            "6.3 the least weight", "6.3 the largest weight", "6.3 a dependency", "6.3 an exclusive dependency",
            "6.3 a priority of a later stream",
        ],
        "3.4": ["6.4 a reset"],
        "3.5": ["6.5 every setting"],
        "3.7": ["6.7 a ping"],
        "3.8": ["6.8 a goodbye"],
        "3.9": ["6.9 a window of the connection", "6.9 a window of a stream"],
        "3.10": ["6.10 a head in two frames", "6.10 a head in three frames"],
        "4": ["8.1 GET", "8.1 HEAD", "8.1 POST", "8.1 POST with trailers"],
        "5": ["RFC 7541, 6.1 a field of the table"] + literals("6.2.1", "that is indexed")
            + literals("6.2.2", "that is not indexed") + literals("6.2.3", "that is never indexed") + [
                "RFC 7541, 6.3 a new size", "RFC 7541, 4.2 two new sizes",
            ],
    ]

    private static func literals(_ section: String, _ kind: String) -> [String] {
        ["a name that the table has", "a name that the table has, coded", "a new name", "a new name, coded"].map {
            "RFC 7541, \(section) \($0) of a field \(kind)"
        }
    }

    private static let framing: [String: [String]] = [
        "3.5": ["3.4 nothing but a preface", "3.4 a preface of another kind"],
        "4.1": ["4.1 a frame of an unknown type", "4.1 flags without meaning", "4.1 the reserved bit"],
        "4.2": ["4.2 content of 16 KiB", "4.2 content that is too long", "4.2 fields that are too long"],
        "4.3": [
            "4.3 fields that cannot be decoded", "4.3 a priority within a block", "4.3 another head within a block",
        ],
        "5.1": [
            "5.1 content on an idle stream", "5.1 a reset of an idle stream", "5.1 a window of an idle stream",
            "5.1 a continuation on an idle stream", "5.1 content after the end", "5.1 a head after the end",
            "5.1 a continuation after the end", "5.1 content after a reset", "5.1 a head after a reset",
            "5.1 a continuation after a reset", "5.1 content on a stream that is over",
            "5.1 a head on a stream that is over", "5.1 a continuation on a stream that is over",
        ],
        "5.1.1": ["5.1.1 an even stream", "5.1.1 a stream below the last"],
        "5.1.2": ["5.1.2 more streams than are allowed"],
        "5.3.1": ["5.3.2 a stream that depends on itself", "5.3.2 a priority that depends on itself"],
        "5.4.1": ["6.7 a ping of a stream", "6.7 a ping of a stream"],
        "5.5": ["4.1 a frame of an unknown type", "5.5 an unknown frame within a block"],
    ]

    private static let frames: [String: [String]] = [
        "6.1": ["6.1 content of the connection", "5.1 content after the end", "6.1 padding longer than content"],
        "6.2": [
            "4.3 a priority within a block", "4.3 another head within a block", "6.2 a head of the connection",
            "6.2 padding longer than fields",
        ],
        "6.3": ["6.3 a priority of the connection", "6.3 a priority of four bytes"],
        "6.4": ["6.4 a reset of the connection", "5.1 a reset of an idle stream", "6.4 a reset of three bytes"],
        "6.5": ["6.5 an acknowledgement with settings", "6.5 settings of a stream", "6.5 settings of three bytes"],
        "6.5.2": [
            "6.5.2 a push that is neither on nor off", "6.5.2 a first window that is too large",
            "6.5.2 frames that are too small", "6.5.2 frames that are too large", "6.5.2 an unknown setting",
        ],
        "6.5.3": ["6.5.3 two values of a setting", "6.5 every setting"],
        "6.7": [
            "6.7 a ping", "6.7 an answer that nobody asked for", "6.7 a ping of a stream", "6.7 a ping of six bytes",
        ],
        "6.8": ["6.8 a goodbye of a stream"],
        "6.9": [
            "6.9 a window opened by nothing", "6.9 a stream's window opened by nothing", "6.9 a window of three bytes",
        ],
        "6.9.1": [
            "6.9.1 a window of one byte", "6.9.1 a window that becomes too large",
            "6.9.1 a stream's window that becomes too large",
        ],
        "6.9.2": [
            "6.9.2 a first window that opens streams", "6.9.2 a window below zero",
            "6.5.2 a first window that is too large",
        ],
        "6.10": [
            "6.10 a head and two continuations", "6.10 content within a block",
            "6.10 a continuation of the connection", "6.10 a continuation after the last",
            "6.10 a continuation after the last continuation", "6.10 a continuation after content",
        ],
        "7": ["7 a goodbye with an unknown error", "7 a reset with an unknown error"],
    ]

    private static let messages: [String: [String]] = [
        "8.1": ["8.1 a second head without the end"],
        "8.1.2": ["8.2 upper case in a name"],
        "8.1.2.1": [
            "8.2 unknown pseudo-header", "8.2 status in a request", "8.3 a pseudo-header field in trailers",
            "8.2 late pseudo-header",
        ],
        "8.1.2.2": ["8.2 connection", "8.2 te"],
        "8.1.2.3": [
            "8.2 empty path", "8.2 no method", "8.2 no scheme", "8.2 no path", "8.2 method twice", "8.2 scheme twice",
            "8.2 path twice",
        ],
        "8.1.2.6": ["8.1.1 more content than its length", "8.1.1 more content than its length, in two frames"],
        "8.2": ["6.6 a push by a client"],
    ]

    private static let fields: [String: [String]] = [
        "2.3.3": ["RFC 7541, 2.3.3 an index beyond the tables", "RFC 7541, 2.3.3 a name beyond the tables"],
        "4.2": ["RFC 7541, 4.2 a new size at the end of a block"],
        "5.2": [
            "RFC 7541, 5.2 padding of more than seven bits", "RFC 7541, 5.2 padding by zeros",
            "RFC 7541, 5.2 the end of text within text",
        ],
        "6.1": ["RFC 7541, 6.1 index 0"],
        "6.3": ["RFC 7541, 6.3 a size that was not allowed"],
    ]

    @Test("of its 147 cases none is left out")
    func cases() {
        let ours = Set(HTTP2ProtocolCase.all.map(\.testDescription))
        let parts = [Self.generic, Self.framing, Self.frames, Self.messages, Self.fields].map {
            $0.values.flatMap { $0 }
        }
        for name in parts.flatMap({ $0 }) { #expect(ours.contains(name), "\(name)") }
        #expect(parts[0].count == 44)
        #expect(parts[1].count + parts[2].count + parts[3].count == 95)
        #expect(parts[4].count == 8)
    }
}
