/// The value of a cookie, which may be in quotation marks (RFC 6265, section 4.1.1). Some clients strip them before
/// they send the cookie back, others do not: they are not part of the value.
package enum CookieValue {
    /// The value without one pair of quotation marks around it. Nil if it has none.
    package static func unquoted(_ value: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        let mark = UInt8(ascii: "\"")
        guard value.count >= 2, value.first == mark, value.last == mark else { return nil }
        return UnsafeRawBufferPointer(rebasing: value[1..<(value.count - 1)])
    }
}
