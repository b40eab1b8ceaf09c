/// A fatal alert (RFC 8446, section 6), sent before a TLS library has the connection.
enum TLSAlert: UInt8 {
    case decodeError = 50
    case protocolVersion = 70
    case internalError = 80
    case unrecognizedName = 112

    var record: [UInt8] { [0x15, 3, 1, 0, 2, 2, rawValue] }
}
