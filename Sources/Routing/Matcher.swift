/// One question to a request, with its values in the form that comparing wants.
struct Matcher: Equatable, Sendable {
    enum Kind: Sendable {
        /// Any request, whether it names a host or not.
        case anyHost
        case host
        /// The value is the part from the first dot on; one label stands before it.
        case hostBelow
        case hostPattern
        case path
        case pathPrefix
        case pathPattern
        case header
        case headerPattern
        case method
        case query
        case queryPattern
        case cookie
        case cookiePattern
        case clientAddress
    }

    let kind: Kind
    /// A name, or the only value.
    var first: [UInt8] = []
    var second: [UInt8] = []
    var pattern: Pattern?
    var addresses: AddressRange?
    /// Where it stands in the rule, in bytes.
    var place = 0..<0
    /// Why it holds for no request, or for none that is meant, as far as its values tell.
    var doubt: RuleError?

    /// A value as the rule writes it, and where.
    struct Value {
        let bytes: [UInt8]
        let offset: Int
        /// The places in `bytes` before which the rule has a `\`.
        let escapes: [Int]

        /// Where in the rule the value's byte stands.
        func place(of index: Int) -> Int { offset + 1 + index + escapes.count { $0 < index } }
    }
}

extension UInt8 {
    /// The ASCII small letter of an ASCII capital; anything else as it is.
    var lowercased: UInt8 { self >= 0x41 && self <= 0x5A ? self | 0x20 : self }

    /// The ASCII capital of an ASCII small letter; anything else as it is.
    var uppercased: UInt8 { self >= 0x61 && self <= 0x7A ? self & 0xDF : self }
}
