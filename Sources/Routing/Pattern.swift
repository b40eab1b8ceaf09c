import CLimpetRegex

/// A regular expression in RE2's syntax, compiled once and matched by any number of event loops.
///
/// `@unchecked Sendable`: the compiled code is complete before it is shared, and is only read afterwards.
final class Pattern: Equatable, @unchecked Sendable {
    static let byteMax = 4096

    let text: [UInt8]
    private let code: OpaquePointer

    /// - Throws: `PatternError`, with the position in the pattern.
    init(_ text: [UInt8]) throws(PatternError) {
        guard text.count <= Self.byteMax else {
            throw PatternError(
                offset: Self.byteMax,
                message: "the pattern has \(text.count) bytes, but at most \(Self.byteMax) are allowed")
        }
        try PatternSyntax.check(text)
        var error = limpet_regex_error()
        guard let code = limpet_regex_new(text, text.count, &error) else { throw PatternError(error) }
        self.text = text
        self.code = code
    }

    deinit { limpet_regex_free(code) }

    static func == (left: Pattern, right: Pattern) -> Bool { left.text == right.text }

    /// - Parameters:
    ///   - subject: UTF-8.
    ///   - scratch: not used by any other thread during the call.
    ///   - steps: the maximum number of steps.
    /// - Returns: nil if the match exceeded a limit.
    func matches(_ subject: UnsafeRawBufferPointer, _ scratch: OpaquePointer, steps: UInt32) -> Bool? {
        switch limpet_regex_match(code, scratch, subject.baseAddress, subject.count, steps) {
        case LIMPET_REGEX_FOUND: true
        case LIMPET_REGEX_NONE: false
        default: nil
        }
    }
}

/// Why a pattern was refused, and at which position.
struct PatternError: Error {
    /// In bytes from the start of the pattern.
    let offset: Int
    let message: String

    init(offset: Int, message: String) {
        self.offset = offset
        self.message = message
    }

    init(_ error: limpet_regex_error) {
        let reason = withUnsafeBytes(of: error.message) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        self.init(offset: error.offset, message: "invalid regular expression: \(reason)")
    }
}
