/// The value of a cookie, which may stand in quotation marks (RFC 6265, section 4.1.1). Some clients take them off
/// before they send it back, others do not: they are not part of it.
package enum CookieValue {
    /// The value without one pair of quotation marks around it; nil where there is none.
    package static func unquoted(_ value: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        let mark = UInt8(ascii: "\"")
        guard value.count >= 2, value.first == mark, value.last == mark else { return nil }
        return UnsafeRawBufferPointer(rebasing: value[1..<(value.count - 1)])
    }
}
