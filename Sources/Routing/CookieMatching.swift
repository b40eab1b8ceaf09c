import HTTPWire

/// Searches for a cookie in a Cookie field, in place.
enum CookieMatching {
    static let field: StaticString = "cookie"

    /// Whether `isWanted` returns true for the value of any cookie of this name (case-sensitive; RFC 6265, section
    /// 4.2): the value as sent, or without the quotation marks around it. A pair without `=` is not a cookie.
    static func hasCookie(
        _ line: UnsafeRawBufferPointer, named name: UnsafeRawBufferPointer,
        where isWanted: (UnsafeRawBufferPointer) -> Bool
    ) -> Bool {
        var isFound = false
        NamedValues.forEach(in: line, separator: UInt8(ascii: ";"), named: name) { value in
            isFound = isWanted(value) || CookieValue.unquoted(value).map(isWanted) ?? false
            return !isFound
        }
        return isFound
    }
}
