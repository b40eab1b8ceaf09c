/// Why a body is refused. Both connections of the exchange must be closed, and the forwarded message left incomplete.
package enum BodyRefusal: Error, Equatable, Sendable {
    case malformedChunkSize, chunkSizeTooLarge, malformedChunkExtension, chunkExtensionTooLarge
    /// The first line of a chunk does not end in CRLF.
    case malformedChunkLineEnd
    /// No CRLF after a chunk's data.
    case malformedChunkEnd
    /// A trailer line violates a rule for field lines.
    case malformedTrailer(HeadRefusal)

    /// What is wrong, in English. Contains nothing from the message.
    package var reason: StaticString {
        switch self {
        case .malformedChunkSize: "a chunk size is not 1 to 16 hexadecimal digits"
        case .chunkSizeTooLarge: "a chunk size is too large"
        case .malformedChunkExtension: "a chunk extension is not ;name or ;name=value"
        case .chunkExtensionTooLarge: "the extensions of a chunk are too large"
        case .malformedChunkLineEnd: "a chunk's first line does not end in CRLF"
        case .malformedChunkEnd: "no CRLF after the data of a chunk"
        case .malformedTrailer(let refusal): refusal.reason
        }
    }
}
