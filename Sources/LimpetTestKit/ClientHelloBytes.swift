/// ClientHellos (RFC 8446, section 4.1.2) as no library makes them.
package enum ClientHelloBytes {
    /// A ClientHello with these extensions; nil: without any.
    ///
    /// - Parameter padding: the number of bytes in an extension that means nothing.
    package static func message(extensions: [UInt8]?, padding: Int = 0) -> [UInt8] {
        var body: [UInt8] = [3, 3] + [UInt8](repeating: 7, count: 32) + [0, 0, 4, 0xC0, 0x2B, 0x13, 1, 1, 0]
        if let extensions {
            let pad: [UInt8] = padding > 0 ? [0, 21] + length(padding) + [UInt8](repeating: 0, count: padding) : []
            body += length(extensions.count + pad.count) + pad + extensions
        }
        return [1, UInt8(body.count >> 16)] + length(body.count & 0xFFFF) + body
    }

    /// The extension that names a host.
    package static func serverName(_ name: String, kind: UInt8 = 0) -> [UInt8] {
        let entry = [kind] + length(name.utf8.count) + Array(name.utf8)
        return [0, 0] + length(entry.count + 2) + length(entry.count) + entry
    }

    /// The message in records of up to `size` bytes.
    package static func records(_ message: [UInt8], each size: Int = 16 << 10) -> [UInt8] {
        stride(from: 0, to: message.count, by: size).flatMap { start -> [UInt8] in
            let piece = message[start..<min(start + size, message.count)]
            return [0x16, 3, 1] + length(piece.count) + piece
        }
    }

    private static func length(_ count: Int) -> [UInt8] { [UInt8(count >> 8), UInt8(count & 0xFF)] }
}
