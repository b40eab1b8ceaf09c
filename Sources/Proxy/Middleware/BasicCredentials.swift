/// The user name and the password in an Authorization field (RFC 7617, section 2).
struct BasicCredentials: Equatable, CustomStringConvertible {
    /// The maximum length in bytes. Longer user names or passwords are rejected unchecked.
    static let lengthMax = 512

    let user: [UInt8]
    let password: [UInt8]

    /// Nil if the field contains anything else. The first colon ends the user name; neither part may contain control
    /// characters.
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

    /// Does not reveal the password.
    var description: String { "(credentials)" }
}
