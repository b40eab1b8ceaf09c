import LimpetTestKit
import Testing

/// What clients may and may not send on an HTTP/2 connection, by sections of RFC 9113, and of RFC 7541 for HPACK.
struct HTTP2ProtocolCase: Sendable, CustomTestStringConvertible {
    enum Outcome: Sendable {
        /// The connection ends with a GOAWAY of one of these errors.
        case connectionError(Set<UInt32>)
        /// The stream is reset with one of these errors, or the connection ends.
        case streamError(Set<UInt32>)
        /// It is no mistake: the connection answers a ping.
        case fine
        /// It is no mistake: stream 1 has its response.
        case served
        /// The first DATA frame that arrives has this length.
        case content(Int)
        /// It is no mistake: the connection answers a ping, or ends without an error.
        case fineOrOver
        /// It is not HTTP/2: the connection ends.
        case closed
        /// It is a mistake, which libnghttp2 passes over without doing anything: the connection answers a ping.
        case ignored
    }

    /// What arrives before the second half of the frames is sent.
    enum Event: Sendable {
        /// The end of stream 1.
        case end
        case content
        /// The acknowledgement of settings, in addition to that of the preface.
        case acknowledgement
    }

    let section: String
    let what: String
    let frames: [UInt8]
    let event: Event?
    let later: [UInt8]
    let outcome: Outcome
    /// Whether the frames follow a preface that is right.
    var hasPreface = true

    init(_ section: String, _ what: String, _ frames: [UInt8]..., is outcome: Outcome) {
        self.init(section, what, Array(frames.joined()), once: nil, then: [], is: outcome)
    }

    init(
        _ section: String, _ what: String, _ frames: [UInt8], once event: Event?, then later: [UInt8],
        is outcome: Outcome
    ) {
        self.section = section
        self.what = what
        self.frames = frames
        self.event = event
        self.later = later
        self.outcome = outcome
    }

    var testDescription: String { "\(section) \(what)" }

    static let protocolError: Set<UInt32> = [1]
    static let flowControl: Set<UInt32> = [3]
    static let streamClosed: Set<UInt32> = [5, 1]
    static let frameSize: Set<UInt32> = [6]
    static let compression: Set<UInt32> = [9]

    static let data: UInt8 = 0
    static let headers: UInt8 = 1
    static let priority: UInt8 = 2
    static let reset: UInt8 = 3
    static let settings: UInt8 = 4
    static let push: UInt8 = 5
    static let ping: UInt8 = 6
    static let goAway: UInt8 = 7
    static let window: UInt8 = 8
    static let continuation: UInt8 = 9

    static func frame(_ type: UInt8, _ flags: UInt8 = 0, on stream: UInt32 = 0, _ payload: [UInt8] = [])
        -> [UInt8]
    {
        HTTP2Frame.frame(type: type, flags: flags, stream: stream, payload)
    }

    /// A request whose path the backend answers late, so that its stream stays open.
    static func request(_ stream: UInt32 = 1, ends: Bool = true, _ more: [(String, String)] = []) -> [UInt8] {
        HTTP2Frame.head(stream: stream, ends: ends, fields + more)
    }

    static let fields = HTTP2Frame.request.map { $0.0 == ":path" ? ($0.0, "/late") : $0 }
    static let block = HTTP2Frame.block(fields)
    static let eight = [UInt8](repeating: 7, count: 8)

    static func setting(_ id: UInt8, _ value: UInt32) -> [UInt8] {
        [0, id] + (0..<4).map { UInt8(truncatingIfNeeded: value >> UInt32(24 - 8 * $0)) }
    }

    static let all =
        frames + states + ofStreams + ofConnections + settingsAndWindows + fieldBlocks + served + closedStreams
        + heldWindows + blocksInPieces + fieldsServed + malformedHeads

    static let frames = [
        HTTP2ProtocolCase("4.1", "a frame of an unknown type", frame(0x16, 0, on: 0, eight), is: .fine),
        HTTP2ProtocolCase("4.1", "flags without meaning", frame(ping, 0x16, on: 0, eight), is: .fine),
        HTTP2ProtocolCase("4.1", "the reserved bit", frame(ping, 0, on: 0x8000_0000, eight), is: .fine),
        HTTP2ProtocolCase(
            "4.2", "content of 16 KiB", request(ends: false),
            frame(data, 1, on: 1, [UInt8](repeating: 1, count: 16_384)),
            is: .fine),
        HTTP2ProtocolCase(
            "4.2", "content that is too long", request(ends: false),
            frame(data, 0, on: 1, [UInt8](repeating: 1, count: 16_385)), is: .streamError(frameSize)),
        HTTP2ProtocolCase(
            "4.2", "fields that are too long", frame(headers, 5, on: 1, [UInt8](repeating: 0, count: 16_385)),
            is: .connectionError(frameSize)),
        HTTP2ProtocolCase(
            "4.3", "fields that cannot be decoded", frame(headers, 5, on: 1, [0x40]), is: .connectionError(compression)),
        HTTP2ProtocolCase(
            "4.3", "a priority within a block", frame(headers, 1, on: 1, block),
            frame(priority, 0, on: 1, [0, 0, 0, 0, 1]),
            is: .connectionError(protocolError)),
        HTTP2ProtocolCase(
            "4.3", "another head within a block", frame(headers, 1, on: 1, block), request(3),
            is: .connectionError(protocolError)),
        HTTP2ProtocolCase(
            "5.5", "an unknown frame within a block", frame(headers, 1, on: 1, block), frame(0x16, 0, on: 0, eight),
            is: .connectionError(protocolError)),
    ]

    static let states = [
        HTTP2ProtocolCase(
            "5.1", "content on an idle stream", frame(data, 1, on: 1, [1]), is: .connectionError(protocolError)),
        HTTP2ProtocolCase(
            "5.1", "a reset of an idle stream", frame(reset, 0, on: 1, [0, 0, 0, 8]),
            is: .connectionError(protocolError)),
        HTTP2ProtocolCase(
            "5.1", "a window of an idle stream", frame(window, 0, on: 1, [0, 0, 0, 9]),
            is: .connectionError(protocolError)),
        HTTP2ProtocolCase(
            "5.1", "a continuation on an idle stream", frame(continuation, 4, on: 1, block),
            is: .connectionError(protocolError)),
        HTTP2ProtocolCase(
            "5.1", "content after the end", request(), frame(data, 1, on: 1, [1]), is: .streamError(streamClosed)),
        HTTP2ProtocolCase("5.1", "a head after the end", request(), request(), is: .streamError(streamClosed)),
        HTTP2ProtocolCase(
            "5.1", "a continuation after the end", request(), frame(continuation, 4, on: 1, block),
            is: .connectionError([1, 5])),
        HTTP2ProtocolCase(
            "5.1", "a head after a reset", request(ends: false), frame(reset, 0, on: 1, [0, 0, 0, 8]), request(),
            is: .ignored),
        HTTP2ProtocolCase(
            "5.1", "a window and a reset after the end", request(), frame(window, 0, on: 1, [0, 0, 0, 9]),
            frame(reset, 0, on: 1, [0, 0, 0, 8]), frame(window, 0, on: 1, [0, 0, 0, 9]), is: .fine),
        HTTP2ProtocolCase("5.1.1", "an even stream", request(2), is: .connectionError(protocolError)),
        HTTP2ProtocolCase("5.1.1", "a stream below the last", request(5), request(3), is: .ignored),
        HTTP2ProtocolCase(
            "5.1.2", "more streams than are allowed",
            Array((0..<101).map { request(UInt32(2 * $0 + 1), ends: false) }.joined()), is: .streamError([1, 7])),
    ]

    static let ofStreams = [
        HTTP2ProtocolCase(
            "6.1", "content of the connection", frame(data, 0, on: 0, [1]), is: .connectionError(protocolError)),
        HTTP2ProtocolCase(
            "6.1", "padding longer than content", request(ends: false), frame(data, 9, on: 1, [5, 1, 1]),
            is: .connectionError(protocolError)),
        HTTP2ProtocolCase("6.1", "padding", request(ends: false), frame(data, 9, on: 1, [2, 1, 0, 0]), is: .fine),
        HTTP2ProtocolCase(
            "6.2", "a head of the connection", frame(headers, 5, on: 0, block), is: .connectionError(protocolError)),
        HTTP2ProtocolCase(
            "6.2", "padding longer than fields", frame(headers, 13, on: 1, [255] + block),
            is: .connectionError(protocolError)),
        HTTP2ProtocolCase(
            "6.2", "padding and a priority", frame(headers, 0x2D, on: 1, [2, 0, 0, 0, 0, 9] + block + [0, 0]), is: .fine
        ),
        HTTP2ProtocolCase(
            "6.3", "a priority of the connection", frame(priority, 0, on: 0, [0, 0, 0, 0, 1]),
            is: .ignored),
        HTTP2ProtocolCase(
            "6.3", "a priority of four bytes", request(ends: false), frame(priority, 0, on: 1, [0, 0, 0, 0]),
            is: .streamError(frameSize)),
        HTTP2ProtocolCase(
            "6.4", "a reset of the connection", frame(reset, 0, on: 0, [0, 0, 0, 8]),
            is: .connectionError(protocolError)),
        HTTP2ProtocolCase(
            "6.4", "a reset of three bytes", request(ends: false), frame(reset, 0, on: 1, [0, 0, 8]),
            is: .connectionError(frameSize)),
        HTTP2ProtocolCase(
            "7", "a reset with an unknown error", request(ends: false), frame(reset, 0, on: 1, [0, 0, 1, 0xff]),
            is: .fine),
        HTTP2ProtocolCase(
            "6.6", "a push by a client", request(ends: false), frame(push, 4, on: 1, [0, 0, 0, 2] + block),
            is: .connectionError(protocolError)),
    ]

    static let ofConnections = [
        HTTP2ProtocolCase(
            "6.7", "a ping of a stream", frame(ping, 0, on: 1, eight), is: .connectionError(protocolError)),
        HTTP2ProtocolCase(
            "6.7", "a ping of six bytes", frame(ping, 0, on: 0, Array(eight[..<6])), is: .connectionError(frameSize)),
        HTTP2ProtocolCase("6.7", "an answer that nobody asked for", frame(ping, 1, on: 0, eight), is: .fine),
        HTTP2ProtocolCase(
            "6.8", "a goodbye of a stream", frame(goAway, 0, on: 1, eight), is: .connectionError(protocolError)),
        HTTP2ProtocolCase(
            "6.10", "a head in three frames", frame(headers, 1, on: 1, Array(block[..<9])),
            frame(continuation, 0, on: 1, Array(block[9..<20])), frame(continuation, 4, on: 1, Array(block[20...])),
            is: .fine),
        HTTP2ProtocolCase(
            "6.10", "a continuation of another stream", frame(headers, 1, on: 1, block), frame(continuation, 4, on: 3),
            is: .connectionError(protocolError)),
        HTTP2ProtocolCase(
            "6.10", "a continuation of the connection", frame(headers, 1, on: 1, block), frame(continuation, 4, on: 0),
            is: .connectionError(protocolError)),
        HTTP2ProtocolCase(
            "6.10", "a continuation after the last", request(ends: false), frame(continuation, 4, on: 1),
            is: .connectionError(protocolError)),
        HTTP2ProtocolCase(
            "8.1", "a second head without the end", request(ends: false),
            frame(headers, 4, on: 1, HTTP2Frame.block([("x", "y")])),
            is: .streamError(protocolError)),
        HTTP2ProtocolCase(
            "8.1", "trailers", request(ends: false), frame(data, 0, on: 1, [1]),
            frame(headers, 5, on: 1, HTTP2Frame.block([("x", "y")])), is: .fine),
    ]

    static let settingsAndWindows = [
        HTTP2ProtocolCase(
            "6.5", "an acknowledgement with settings", frame(settings, 1, on: 0, setting(3, 9)),
            is: .connectionError(frameSize)),
        HTTP2ProtocolCase(
            "6.5", "settings of a stream", frame(settings, 0, on: 1), is: .connectionError(protocolError)),
        HTTP2ProtocolCase(
            "6.5", "settings of three bytes", frame(settings, 0, on: 0, [0, 3, 0]), is: .connectionError(frameSize)),
        HTTP2ProtocolCase(
            "6.5.2", "a push that is neither on nor off", frame(settings, 0, on: 0, setting(2, 2)),
            is: .connectionError(protocolError)),
        HTTP2ProtocolCase(
            "6.5.2", "a first window that is too large", frame(settings, 0, on: 0, setting(4, 0x8000_0000)),
            is: .connectionError(flowControl)),
        HTTP2ProtocolCase(
            "6.5.2", "frames that are too small", frame(settings, 0, on: 0, setting(5, 16_383)),
            is: .connectionError(protocolError)),
        HTTP2ProtocolCase(
            "6.5.2", "frames that are too large", frame(settings, 0, on: 0, setting(5, 16_777_216)),
            is: .connectionError(protocolError)),
        HTTP2ProtocolCase("6.5.2", "an unknown setting", frame(settings, 0, on: 0, setting(0xff, 1)), is: .fine),
        HTTP2ProtocolCase(
            "6.9", "a window opened by nothing", frame(window, 0, on: 0, [0, 0, 0, 0]),
            is: .connectionError(protocolError)),
        HTTP2ProtocolCase(
            "6.9", "a stream's window opened by nothing", request(ends: false), frame(window, 0, on: 1, [0, 0, 0, 0]),
            is: .streamError(protocolError)),
        HTTP2ProtocolCase(
            "6.9", "a window of three bytes", frame(window, 0, on: 0, [0, 0, 9]), is: .connectionError(frameSize)),
        HTTP2ProtocolCase(
            "6.9.1", "a window that is too large", frame(window, 0, on: 0, [0x7f, 0xff, 0xff, 0xff]),
            is: .connectionError(flowControl)),
        HTTP2ProtocolCase(
            "6.9.1", "a stream's window that is too large", request(ends: false),
            frame(window, 0, on: 1, [0x7f, 0xff, 0xff, 0xff]),
            is: .streamError(flowControl)),
    ]

    static let fieldBlocks = [
        HTTP2ProtocolCase(
            "RFC 7541, 2.3.3", "an index beyond the tables", frame(headers, 5, on: 1, block + [0xFE]),
            is: .connectionError(compression)),
        HTTP2ProtocolCase(
            "RFC 7541, 4.2", "a new size at the end of a block", frame(headers, 5, on: 1, block + [0x20]),
            is: .connectionError(compression)),
        HTTP2ProtocolCase(
            "RFC 7541, 5.2", "padding of more than seven bits",
            frame(headers, 5, on: 1, block + [0, 1, 0x78, 0x82, 0xFF, 0xFF]),
            is: .connectionError(compression)),
        HTTP2ProtocolCase(
            "RFC 7541, 5.2", "padding by zeros", frame(headers, 5, on: 1, block + [0, 1, 0x78, 0x81, 0x18]),
            is: .connectionError(compression)),
        HTTP2ProtocolCase(
            "RFC 7541, 5.2", "the end of text within text",
            frame(headers, 5, on: 1, block + [0, 1, 0x78, 0x84, 0xFF, 0xFF, 0xFF, 0xFF]),
            is: .connectionError(compression)),
        HTTP2ProtocolCase(
            "RFC 7541, 6.1", "index 0", frame(headers, 5, on: 1, block + [0x80]), is: .connectionError(compression)),
        HTTP2ProtocolCase(
            "RFC 7541, 6.3", "a size that was not allowed", frame(headers, 5, on: 1, [0x3F, 0xE2, 0x1F] + block),
            is: .connectionError(compression)),
        HTTP2ProtocolCase(
            "RFC 7541, 5.1", "a number without end",
            frame(headers, 5, on: 1, block + [0xFF] + [UInt8](repeating: 0xFF, count: 20)),
            is: .connectionError(compression)),
    ]
}
