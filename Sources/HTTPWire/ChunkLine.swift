/// The line before a chunk's data (RFC 9112 §7.1), read byte by byte so that it can stop anywhere and go on:
/// `1*16HEXDIG *( ";" token [ "=" ( token / quoted-string ) ] ) CRLF`, with no white space outside quotes.
struct ChunkLine {
    private enum State {
        case size, extensionName, afterName, extensionValue, afterValue, quoted, escaped, afterQuoted, lineFeed
    }

    private(set) var size: UInt64 = 0
    private var state = State.size
    private var digits = 0
    private var extensionLength = 0
    private static var mostDigits: Int { 16 }

    /// Takes the next byte; whether it ends the line. Extensions of more than `longestExtension` bytes are refused.
    @inline(__always)
    mutating func take(_ byte: UInt8, longestExtension: Int) throws(BodyRefusal) -> Bool {
        switch state {
        case .size:
            try takeSize(byte, longestExtension)
        case .lineFeed:
            guard byte == .lineFeed else { throw .malformedChunkLineEnd }
            return true
        case .extensionName, .afterName, .extensionValue, .afterValue, .quoted, .escaped, .afterQuoted:
            try takeExtension(byte, longestExtension)
        }
        return false
    }

    @inline(__always)
    private mutating func takeSize(_ byte: UInt8, _ longestExtension: Int) throws(BodyRefusal) {
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
            state = .extensionName
            try countExtension(longestExtension)
        default: throw .malformedChunkSize
        }
    }

    private mutating func countExtension(_ longestExtension: Int) throws(BodyRefusal) {
        extensionLength &+= 1
        guard extensionLength <= longestExtension else { throw .chunkExtensionTooLarge }
    }

    private mutating func takeExtension(_ byte: UInt8, _ longestExtension: Int) throws(BodyRefusal) {
        let mayEnd = state == .afterName || state == .afterValue || state == .afterQuoted
        if mayEnd && byte == .carriageReturn {
            state = .lineFeed
            return
        }
        if byte == .carriageReturn || byte == .lineFeed { throw .malformedChunkLineEnd }
        try countExtension(longestExtension)
        state = try next(byte)
    }

    /// The state after a byte of an extension.
    private func next(_ byte: UInt8) throws(BodyRefusal) -> State {
        switch state {
        case .extensionName:
            if byte.isToken { return .afterName }
        case .afterName:
            if byte.isToken { return .afterName }
            if byte == UInt8(ascii: "=") { return .extensionValue }
            if byte == UInt8(ascii: ";") { return .extensionName }
        case .extensionValue:
            if byte.isToken { return .afterValue }
            if byte == UInt8(ascii: "\"") { return .quoted }
        case .afterValue:
            if byte.isToken { return .afterValue }
            if byte == UInt8(ascii: ";") { return .extensionName }
        case .quoted:
            if byte == UInt8(ascii: "\"") { return .afterQuoted }
            if byte == UInt8(ascii: "\\") { return .escaped }
            if byte >= 0x20 && byte < 0x7F { return .quoted }
        case .escaped:
            if byte >= 0x20 && byte < 0x7F { return .quoted }
        case .afterQuoted:
            if byte == UInt8(ascii: ";") { return .extensionName }
        case .size, .lineFeed:
            assertionFailure("not within an extension")
        }
        throw .malformedChunkExtension
    }
}
