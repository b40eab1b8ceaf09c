/// The line before a chunk's data (RFC 9112 §7.1), parsed byte by byte so that parsing can stop and resume anywhere:
/// `1*16HEXDIG *( ";" token [ "=" ( token / quoted-string ) ] ) CRLF`.
///
/// White space around the delimiters of an extension, and after the last one, is accepted, as §7.1.1 requires of a
/// recipient (BWS). White space after the size is accepted only from a backend: a proxy in front of us may have read a
/// different size.
struct ChunkLine {
    private enum State {
        case size, afterSize
        case beforeName, name, afterName
        case beforeValue, value, quoted, escaped, afterValue
        case lineFeed
    }

    private(set) var size: UInt64 = 0
    /// The number of digits of the size.
    private var digits = 0
    private var state = State.size
    private var extensionLength = 0
    private static var mostDigits: Int { 16 }

    /// Consumes the next byte. Returns whether it ends the line. Refuses a line with more than `longestExtension` bytes
    /// between the size and the CRLF.
    @inline(__always)
    mutating func take(
        _ byte: UInt8, longestExtension: Int, from sender: BodyScanner.Sender
    ) throws(BodyRefusal) -> Bool {
        switch state {
        case .size:
            try takeSize(byte, longestExtension, sender)
        case .lineFeed:
            guard byte == .lineFeed else { throw .malformedChunkLineEnd }
            return true
        case .afterSize, .beforeName, .name, .afterName, .beforeValue, .value, .quoted, .escaped, .afterValue:
            try takeExtension(byte, longestExtension)
        }
        return false
    }

    @inline(__always)
    private mutating func takeSize(
        _ byte: UInt8, _ longestExtension: Int, _ sender: BodyScanner.Sender
    ) throws(BodyRefusal) {
        if let value = byte.hexValue {
            guard digits < Self.mostDigits else { throw .malformedChunkSize }
            digits &+= 1
            size = size &<< 4 | UInt64(value)
            return
        }
        guard digits > 0 else { throw .malformedChunkSize }
        guard size < 1 << 63 else { throw .chunkSizeTooLarge }
        switch byte {
        case .carriageReturn: state = .lineFeed
        case .lineFeed: throw .malformedChunkLineEnd
        case UInt8(ascii: ";"):
            state = .beforeName
            try countExtension(longestExtension)
        default:
            guard byte.isBlank, sender == .backend else { throw .malformedChunkSize }
            state = .afterSize
            try countExtension(longestExtension)
        }
    }

    private mutating func countExtension(_ longestExtension: Int) throws(BodyRefusal) {
        extensionLength &+= 1
        guard extensionLength <= longestExtension else { throw .chunkExtensionTooLarge }
    }

    private mutating func takeExtension(_ byte: UInt8, _ longestExtension: Int) throws(BodyRefusal) {
        if byte == .carriageReturn && mayEnd {
            state = .lineFeed
            return
        }
        if byte == .carriageReturn || byte == .lineFeed { throw .malformedChunkLineEnd }
        try countExtension(longestExtension)
        state = try next(byte)
    }

    private var mayEnd: Bool {
        switch state {
        case .afterSize, .name, .afterName, .value, .afterValue: true
        case .size, .beforeName, .beforeValue, .quoted, .escaped, .lineFeed: false
        }
    }

    /// The state after a byte between the size and the CRLF.
    private func next(_ byte: UInt8) throws(BodyRefusal) -> State {
        switch state {
        case .afterSize:
            if byte.isBlank { return .afterSize }
            if byte == UInt8(ascii: ";") { return .beforeName }
            throw .malformedChunkSize
        case .beforeName:
            if byte.isBlank { return .beforeName }
            if byte.isToken { return .name }
        case .name, .afterName:
            if byte.isToken && state == .name { return .name }
            if byte.isBlank { return .afterName }
            if byte == UInt8(ascii: "=") { return .beforeValue }
            if byte == UInt8(ascii: ";") { return .beforeName }
        case .beforeValue:
            if byte.isBlank { return .beforeValue }
            if byte.isToken { return .value }
            if byte == UInt8(ascii: "\"") { return .quoted }
        case .value, .afterValue:
            if byte.isToken && state == .value { return .value }
            if byte.isBlank { return .afterValue }
            if byte == UInt8(ascii: ";") { return .beforeName }
        case .quoted:
            if byte == UInt8(ascii: "\"") { return .afterValue }
            if byte == UInt8(ascii: "\\") { return .escaped }
            if byte.isText { return .quoted }
        case .escaped:
            if byte.isText { return .quoted }
        case .size, .lineFeed:
            assertionFailure("not within an extension")
        }
        throw .malformedChunkExtension
    }
}
