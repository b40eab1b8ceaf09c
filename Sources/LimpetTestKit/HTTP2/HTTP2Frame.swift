/// Frames as a client of bad manners makes them (RFC 9113, section 4.1). Fields are literals without names in a table.
package struct HTTP2Frame: Equatable {
    package var type: UInt8
    package var flags: UInt8
    package var stream: UInt32
    package var payload: [UInt8]

    /// The next frame that arrives.
    package init(from socket: TCPSocket) throws {
        func read(_ count: Int) throws -> [UInt8] {
            var bytes: [UInt8] = []
            while bytes.count < count {
                let more = try socket.receive(upTo: count - bytes.count)
                guard !more.isEmpty else { throw EndOfInput() }
                bytes += more
            }
            return bytes
        }
        let head = try read(9)
        (type, flags) = (head[3], head[4])
        stream = head[5...].reduce(0) { $0 << 8 | UInt32($1) }
        payload = try read(head[..<3].reduce(0) { $0 << 8 | Int($1) })
    }

    /// The frame at a place, which moves to the next one; nil if there is no whole frame.
    package init?(_ bytes: [UInt8], at place: inout Int) {
        guard bytes.count - place >= 9 else { return nil }
        let head = bytes[place..<place + 9]
        let length = head.prefix(3).reduce(0) { $0 << 8 | Int($1) }
        guard bytes.count - place - 9 >= length else { return nil }
        (type, flags) = (head[place + 3], head[place + 4])
        stream = head.suffix(4).reduce(0) { $0 << 8 | UInt32($1) } & 0x7fff_ffff
        payload = Array(bytes[(place + 9)..<(place + 9 + length)])
        place += 9 + length
    }

    package var bytes: [UInt8] { Self.frame(type: type, flags: flags, stream: stream, payload) }

    package struct EndOfInput: Error {}

    package static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) + frame(type: 4)

    package static func frame(type: UInt8, flags: UInt8 = 0, stream: UInt32 = 0, _ payload: [UInt8] = []) -> [UInt8] {
        let length = payload.count
        return [UInt8(length >> 16 & 0xff), UInt8(length >> 8 & 0xff), UInt8(length & 0xff), type, flags]
            + (0..<4).map { UInt8(truncatingIfNeeded: stream >> UInt32(24 - 8 * $0)) } + payload
    }

    package static func head(stream: UInt32 = 1, ends: Bool = true, _ fields: [(String, String)]) -> [UInt8] {
        frame(type: 1, flags: (ends ? 1 : 0) | 4, stream: stream, block(fields))
    }

    /// RFC 7541, section 6.2.2: a literal that is not indexed, with a new name.
    package static func block(_ fields: [(String, String)]) -> [UInt8] {
        fields.flatMap { name, value in [0] + text(name) + text(value) }
    }

    private static func text(_ text: String) -> [UInt8] {
        let bytes = Array(text.unicodeScalars.map { UInt8(truncatingIfNeeded: $0.value) })
        guard bytes.count >= 127 else { return [UInt8(bytes.count)] + bytes }
        var (length, rest): ([UInt8], Int) = ([127], bytes.count - 127)
        while rest >= 128 {
            length.append(UInt8(rest & 127 | 128))
            rest >>= 7
        }
        return length + [UInt8(rest)] + bytes
    }

    package static let request = [
        (":method", "GET"), (":scheme", "https"), (":authority", "a.example"), (":path", "/"),
    ]
}
