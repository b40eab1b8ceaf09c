import HTTPWire

/// Looks for a cookie in a Cookie field, in place.
enum CookieMatching {
    static let field: StaticString = "cookie"

    /// Whether `isWanted` holds for the value of any cookie of this name, compared to the letter (RFC 6265, section
    /// 4.2): the value as it was sent, or without the quotation marks around it. What has no `=` is no cookie.
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
