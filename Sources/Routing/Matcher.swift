/// One condition on a request, with its values in the form that comparison needs.
struct Matcher: Equatable, Sendable {
    enum Kind: Sendable {
        /// Any request, whether it names a host or not.
        case anyHost
        case host
        /// The value is the part from the first dot on. Exactly one label precedes it.
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
    /// Its position in the rule, in bytes.
    var place = 0..<0
    /// Why it can match no request, or no request that was intended, as far as its values show.
    var doubt: RuleError?

    /// A value with its position in the rule.
    struct Value {
        let bytes: [UInt8]
        let offset: Int
        /// The indices in `bytes` before which the rule has a `\`.
        let escapes: [Int]

        /// The position in the rule of the value's byte at `index`.
        func place(of index: Int) -> Int { offset + 1 + index + escapes.count { $0 < index } }
    }
}

extension UInt8 {
    /// The lower-case form of an ASCII capital; any other byte unchanged.
    var lowercased: UInt8 { self >= 0x41 && self <= 0x5A ? self | 0x20 : self }

    /// The capital form of an ASCII lower-case letter; any other byte unchanged.
    var uppercased: UInt8 { self >= 0x61 && self <= 0x7A ? self & 0xDF : self }
}
