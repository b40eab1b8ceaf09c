/// How large the parts of a message may be. Lengths are in bytes; what passes a limit is refused, never cut.
package struct MessageLimits: Sendable, Equatable {
    /// The request line (or status line) without its CRLF; more is 414.
    package var requestLine = 16 * 1024
    /// One field line without its CRLF; more is 431. Trailer fields too.
    package var field = 16 * 1024
    /// All field lines together, each with its CRLF; more is 431. A trailer section is held to the same.
    package var fieldSection = 64 * 1024
    /// The number of field lines; more is 431. Trailer fields too. A `FieldTable` of smaller capacity lowers it.
    package var fieldCount = 100
    /// The extensions of one chunk: the bytes between its size and the CRLF.
    package var chunkExtension = 1024

    package init() {}

    /// For what has been held to its limits already.
    static var unlimited: MessageLimits {
        var limits = MessageLimits()
        (limits.field, limits.fieldSection) = (.max, .max)
        return limits.clamped
    }

    /// The same limits, none negative and none above 256 MiB, so that every offset in a head fits a `UInt32`.
    var clamped: MessageLimits {
        func clamp(_ value: Int) -> Int { min(max(value, 0), 1 << 28) }
        var limits = self
        limits.requestLine = clamp(requestLine)
        limits.field = clamp(field)
        limits.fieldSection = clamp(fieldSection)
        limits.fieldCount = clamp(fieldCount)
        limits.chunkExtension = clamp(chunkExtension)
        return limits
    }
}
