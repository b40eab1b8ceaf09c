import LimpetTestKit

/// Streams that are over, windows that are shut, blocks in pieces.
extension HTTP2ProtocolCase {
    private static let priorityOfNothing: [UInt8] = [0, 0, 0, 0, 255]
    private static let fragment = HTTP2Frame.block([("x-dummy", "1")])

    static let closedStreams = [
        HTTP2ProtocolCase(
            "5.1", "content after a reset", request(ends: false), frame(reset, 0, on: 1, [0, 0, 0, 8]),
            frame(data, 1, on: 1, [1]), is: .ignored),
        HTTP2ProtocolCase(
            "5.1", "a continuation after a reset", request(ends: false), frame(reset, 0, on: 1, [0, 0, 0, 8]),
            frame(continuation, 4, on: 1, fragment), is: .connectionError([1, 5])),
        HTTP2ProtocolCase(
            "5.1", "content on a stream that is over", quick(), once: .end, then: frame(data, 1, on: 1, [1]),
            is: .ignored),
        HTTP2ProtocolCase(
            "5.1", "a head on a stream that is over", quick(), once: .end, then: quick(), is: .ignored),
        HTTP2ProtocolCase(
            "5.1", "a continuation on a stream that is over", quick(), once: .end,
            then: frame(continuation, 4, on: 1, fragment), is: .connectionError([1, 5])),
        HTTP2ProtocolCase(
            "5.1", "a priority of a stream that is over", quick(), once: .end,
            then: frame(priority, 0, on: 1, priorityOfNothing), is: .fine),
    ]

    static let heldWindows = [
        HTTP2ProtocolCase(
            "5.1", "a window after the end", frame(settings, 0, on: 0, setting(4, 0)), quick(),
            frame(window, 0, on: 1, [0, 0, 0, 1]), is: .content(1)),
        HTTP2ProtocolCase(
            "5.1", "a priority after the end", frame(settings, 0, on: 0, setting(4, 0)), quick(),
            frame(priority, 0, on: 1, priorityOfNothing), frame(window, 0, on: 1, [0, 0, 0, 1]), is: .content(1)),
        HTTP2ProtocolCase(
            "6.5.3", "two values of a setting", frame(settings, 0, on: 0, setting(4, 100) + setting(4, 1)),
            once: .acknowledgement, then: quick(), is: .content(1)),
        HTTP2ProtocolCase(
            "6.9.1", "a window of one byte", frame(settings, 0, on: 0, setting(4, 1)), once: .acknowledgement,
            then: quick(), is: .content(1)),
        HTTP2ProtocolCase(
            "6.9.1", "a window that becomes too large", frame(window, 0, on: 0, [0x7f, 0xff, 0xff, 0xff]),
            frame(window, 0, on: 0, [0x7f, 0xff, 0xff, 0xff]), is: .connectionError(flowControl)),
        HTTP2ProtocolCase(
            "6.9.1", "a stream's window that becomes too large", request(ends: false),
            frame(window, 0, on: 1, [0x7f, 0xff, 0, 0]), frame(window, 0, on: 1, [0x7f, 0xff, 0xff, 0xff]),
            is: .streamError(flowControl)),
        HTTP2ProtocolCase(
            "6.9.2", "a first window that opens streams", frame(settings, 0, on: 0, setting(4, 0)) + quick(),
            once: .acknowledgement, then: frame(settings, 0, on: 0, setting(4, 1)), is: .content(1)),
        HTTP2ProtocolCase(
            "6.9.2", "a window below zero", frame(settings, 0, on: 0, setting(4, 3)) + quick(), once: .content,
            then: frame(settings, 0, on: 0, setting(4, 2)) + frame(window, 0, on: 1, [0, 0, 0, 2]), is: .content(1)),
    ]

    static let blocksInPieces = [
        HTTP2ProtocolCase(
            "6.10", "a head in two frames", frame(headers, 1, on: 1, Array(quickBlock[..<5])),
            frame(continuation, 4, on: 1, Array(quickBlock[5...])), is: .served),
        HTTP2ProtocolCase(
            "6.10", "a head and two continuations", frame(headers, 1, on: 1, quickBlock),
            frame(continuation, 0, on: 1, fragment), frame(continuation, 4, on: 1, fragment), is: .served),
        HTTP2ProtocolCase(
            "6.10", "content within a block", frame(headers, 0, on: 1, block), frame(continuation, 0, on: 1, fragment),
            frame(data, 1, on: 1, [1]), is: .connectionError(protocolError)),
        HTTP2ProtocolCase(
            "6.10", "a continuation after the last continuation", frame(headers, 1, on: 1, block),
            frame(continuation, 4, on: 1, fragment), frame(continuation, 4, on: 1, fragment),
            is: .connectionError(protocolError)),
        HTTP2ProtocolCase(
            "6.10", "a continuation after content", frame(headers, 0, on: 1, block), frame(data, 1, on: 1, [1]),
            frame(continuation, 0, on: 1, fragment), is: .connectionError(protocolError)),
    ]

    /// `x-test: h2spec` and `user-agent: h2spec`, plain and by Huffman's code.
    private static let plainValue: [UInt8] = [6] + Array("h2spec".utf8)
    private static let codedValue: [UInt8] = [0x84, 0x9c, 0x48, 0xac, 0xa4]
    private static let plainAgent: [UInt8] = [10] + Array("user-agent".utf8)
    private static let codedAgent: [UInt8] = [0x87, 0xb5, 0x05, 0xb1, 0x61, 0xcc, 0x5a, 0x93]
    private static let plainName: [UInt8] = [6] + Array("x-test".utf8)
    private static let codedName: [UInt8] = [0x85, 0xf2, 0xb2, 0x4a, 0x84, 0xff]

    private static func adding(_ field: [UInt8]) -> [UInt8] { frame(headers, 5, on: 1, quickBlock + field) }

    /// A literal of each form: with a name of the static table (`user-agent` has the index 58), and with others.
    private static func literals(_ section: String, _ kind: String, _ first: UInt8, _ index: [UInt8])
        -> [HTTP2ProtocolCase]
    {
        let forms: [(String, [UInt8])] = [
            ("a name of the table", index + plainValue),
            ("a name of the table, coded", index + codedValue),
            ("a name that the table has", [first] + plainAgent + plainValue),
            ("a name that the table has, coded", [first] + codedAgent + codedValue),
            ("a new name", [first] + plainName + plainValue),
            ("a new name, coded", [first] + codedName + codedValue),
        ]
        return forms.map {
            HTTP2ProtocolCase("RFC 7541, \(section)", "\($0) of a field \(kind)", adding($1), is: .served)
        }
    }

    private static let literals: [HTTP2ProtocolCase] =
        literals("6.2.1", "that is indexed", 0x40, [0x7A])
        + literals("6.2.2", "that is not indexed", 0x00, [0x0F, 43])
        + literals("6.2.3", "that is never indexed", 0x10, [0x1F, 43])

    static let fieldsServed =
        literals + [
            HTTP2ProtocolCase(
                "RFC 7541, 6.1", "a field of the table", adding([0x40] + plainName + plainValue + [0xBE]), is: .served),
            HTTP2ProtocolCase(
                "RFC 7541, 6.3", "a new size", frame(headers, 5, on: 1, [0x3F, 0x61] + quickBlock), is: .served),
            HTTP2ProtocolCase(
                "RFC 7541, 4.2", "two new sizes",
                frame(headers, 5, on: 1, [0x3F, 0x61, 0x3F, 0xE1, 0x1F] + quickBlock), is: .served),
            HTTP2ProtocolCase(
                "RFC 7541, 4.2", "three new sizes",
                frame(headers, 5, on: 1, [0x3F, 0x61, 0x21, 0x3F, 0xE1, 0x1F] + quickBlock), is: .served),
            HTTP2ProtocolCase(
                "RFC 7541, 4.3", "a table that is emptied", adding([0x40] + plainName + plainValue),
                frame(headers, 5, on: 3, [0x20] + quickBlock + [0xBE]), is: .connectionError(compression)),
            HTTP2ProtocolCase(
                "RFC 7541, 2.3.3", "a name beyond the tables", adding([0x7F, 0x07, 0]),
                is: .connectionError(compression)),
        ]
}
