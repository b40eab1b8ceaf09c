/// The user and the password of an Authorization field (RFC 7617, section 2).
struct BasicCredentials: Equatable, CustomStringConvertible {
    /// Longer names and passwords are nobody's.
    static let lengthMax = 512

    let user: [UInt8]
    let password: [UInt8]

    /// Nil where the field holds anything else. The first colon ends the name; neither part holds a control character.
    init?(fieldValue: UnsafeRawBufferPointer) {
        let scheme = "basic".utf8
        guard fieldValue.count > scheme.count, fieldValue[scheme.count] == UInt8(ascii: " "),
            zip(fieldValue, scheme).allSatisfy({ $0 | 0x20 == $1 })
        else { return nil }
        var start = scheme.count
        while start < fieldValue.count, fieldValue[start] == UInt8(ascii: " ") { start += 1 }
        guard let decoded = Base64.decode(UnsafeRawBufferPointer(rebasing: fieldValue[start...])),
            let colon = decoded.firstIndex(of: UInt8(ascii: ":")),
            decoded.allSatisfy({ $0 >= 0x20 && $0 != 0x7F })
        else { return nil }
        user = Array(decoded[..<colon])
        password = Array(decoded[(colon + 1)...])
        guard user.count <= Self.lengthMax, password.count <= Self.lengthMax else { return nil }
    }

    /// Does not show the password.
    var description: String { "(credentials)" }
}
