import CLimpetRegex

/// A regular expression of RE2's syntax, compiled once and matched by any number of event loops.
///
/// Unchecked: the compiled code is complete before anybody else sees it, and is only read afterwards.
final class Pattern: Equatable, @unchecked Sendable {
    static let byteMax = 4096

    let text: [UInt8]
    private let code: OpaquePointer

    /// - Throws: `PatternError`, with the place in the pattern.
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
    ///   - scratch: nobody else's meanwhile.
    ///   - steps: what finding out may cost.
    /// - Returns: nil where finding out would have cost too much.
    func matches(_ subject: UnsafeRawBufferPointer, _ scratch: OpaquePointer, steps: UInt32) -> Bool? {
        switch limpet_regex_match(code, scratch, subject.baseAddress, subject.count, steps) {
        case LIMPET_REGEX_FOUND: true
        case LIMPET_REGEX_NONE: false
        default: nil
        }
    }
}

/// Why a pattern was refused, and where in it.
struct PatternError: Error {
    /// In bytes of the pattern.
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
