/// Limits on the parts of a message. Lengths are in bytes. A part that exceeds its limit is refused, never truncated.
package struct MessageLimits: Sendable, Equatable {
    /// The request line (or status line) without its CRLF; more is 414.
    package var requestLine = 16 * 1024
    /// One field line without its CRLF; more is 431. Also applies to trailer fields.
    package var field = 16 * 1024
    /// All field lines together, each with its CRLF; more is 431. Also applies to a trailer section.
    package var fieldSection = 64 * 1024
    /// The number of field lines; more is 431. Also applies to trailer fields. A `FieldTable` of smaller capacity
    /// lowers it.
    package var fieldCount = 100
    /// The extensions of one chunk: the bytes between its size and the CRLF.
    package var chunkExtension = 1024

    package init() {}

    /// For sections whose limits have already been checked.
    static var unlimited: MessageLimits {
        var limits = MessageLimits()
        (limits.field, limits.fieldSection) = (.max, .max)
        return limits.clamped
    }

    /// The same limits, none negative and none above 256 MiB, so that every offset in a head fits in a `UInt32`.
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
