import LimpetTestKit

/// What one connection of an attacker sends: more frames of a kind than are tolerated, which cost it little.
enum FloodFrames: String, CaseIterable, Sendable {
    /// CVE-2023-44487.
    case rapidReset
    /// The server resets streams because of the client's mistakes (CVE-2025-8671): windows that grow too large.
    case largeWindowUpdates
    /// Likewise, heads that are malformed.
    case malformedHeads
    /// Mistakes after which libnghttp2 ends the connection at once: windows that grow by nothing, and content after the
    /// end of a request.
    case emptyWindowUpdates
    case contentAfterEnd
    case fullContinuations
    case emptyContinuations
    case settings
    case pings
    case priorities
    case emptyContent
    case unknownFrames
    case unaskedAnswers
    case headsOnClosedStreams

    /// Frames of the kind.
    static let count = 1500

    /// With which the connection is ended (RFC 9113, section 7).
    var error: UInt32 {
        switch self {
        case .emptyWindowUpdates: 0x1
        case .contentAfterEnd: 0x5
        default: 0xb
        }
    }

    /// One frame is a mistake that ends the connection.
    var isMistake: Bool { error != 0xb }

    /// With the preface.
    var bytes: [UInt8] {
        let request = HTTP2Frame.request.map { ($0, $0 == ":path" ? "/attacked" : $1) }
        var bytes = HTTP2Frame.preface
        switch self {
        case .fullContinuations, .emptyContinuations:
            bytes += HTTP2Frame.frame(type: 1, flags: 1, stream: 1, HTTP2Frame.block(request))
        case .emptyContent: bytes += HTTP2Frame.head(ends: false, request)
        case .headsOnClosedStreams:
            bytes += HTTP2Frame.head(request) + HTTP2Frame.frame(type: 3, stream: 1, [0, 0, 0, 8])
        default: break
        }
        let head = HTTP2Frame.head(request).dropFirst(9)
        for index in 0..<Self.count { bytes += frames(index, head: Array(head)) }
        return bytes
    }

    /// - Parameter head: a block of fields.
    private func frames(_ index: Int, head: [UInt8]) -> [UInt8] {
        let stream = UInt32(2 * index + 1)
        let request = HTTP2Frame.frame(type: 1, flags: 5, stream: stream, head)
        return switch self {
        case .rapidReset: request + HTTP2Frame.frame(type: 3, stream: stream, [0, 0, 0, 8])
        case .largeWindowUpdates: request + HTTP2Frame.frame(type: 8, stream: stream, [0x7f, 0xff, 0xff, 0xff])
        case .malformedHeads: HTTP2Frame.head(stream: stream, [(":path", "/attacked")])
        case .emptyWindowUpdates: request + HTTP2Frame.frame(type: 8, stream: stream, [0, 0, 0, 0])
        case .contentAfterEnd: request + HTTP2Frame.frame(type: 0, stream: stream, [0])
        case .fullContinuations: HTTP2Frame.frame(type: 9, stream: 1, Self.piece)
        case .emptyContinuations: HTTP2Frame.frame(type: 9, stream: 1)
        case .settings: HTTP2Frame.frame(type: 4)
        case .pings: HTTP2Frame.frame(type: 6, Array(repeating: 0, count: 8))
        case .priorities: HTTP2Frame.frame(type: 2, stream: 1, [0, 0, 0, 0, 1])
        case .emptyContent: HTTP2Frame.frame(type: 0, stream: 1)
        case .unknownFrames: HTTP2Frame.frame(type: 0x20)
        case .unaskedAnswers: HTTP2Frame.frame(type: 6, flags: 1, Array(repeating: 0, count: 8))
        case .headsOnClosedStreams: HTTP2Frame.frame(type: 1, flags: 5, stream: 1, head)
        }
    }

    /// A block of 16 KiB.
    private static let piece = HTTP2Frame.block(
        (0..<128).map { _ in ("x", String(repeating: "y", count: 123)) })
}
