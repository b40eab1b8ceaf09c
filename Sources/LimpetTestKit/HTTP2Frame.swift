/// Frames as a peer of bad manners makes them (RFC 9113, section 4.1). Fields are literals without names in a table.
package enum HTTP2Frame {
    /// What a client sends first.
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

    package static let request = [(":method", "GET"), (":scheme", "https"), (":authority", "a.example"), (":path", "/")]
}

extension HTTP2Frame {
    package struct Received: Equatable, Sendable {
        package let type: UInt8
        package let flags: UInt8
        package let stream: UInt32
        package let payload: [UInt8]

        package var endsStream: Bool { (type == 0 || type == 1) && flags & 1 != 0 }
    }

    package struct Ended: Error {}

    /// The next frame; throws at the end of the stream of bytes.
    package static func receive(from socket: TCPSocket) throws -> Received {
        let head = try bytes(9, from: socket)
        let length = Int(head[0]) << 16 | Int(head[1]) << 8 | Int(head[2])
        let stream = head[5..<9].reduce(0) { $0 << 8 | UInt32($1) } & 0x7FFF_FFFF
        return Received(type: head[3], flags: head[4], stream: stream, payload: try bytes(length, from: socket))
    }

    /// Waits for a frame of this type.
    package static func receive(type: UInt8, from socket: TCPSocket) throws -> Received {
        while true {
            let frame = try receive(from: socket)
            if frame.type == type { return frame }
        }
    }

    /// What a client sends before its frames.
    package static func receivePreface(from socket: TCPSocket) throws { _ = try bytes(24, from: socket) }

    private static func bytes(_ count: Int, from socket: TCPSocket) throws -> [UInt8] {
        var all: [UInt8] = []
        while all.count < count {
            let piece = try socket.receive(upTo: count - all.count)
            guard !piece.isEmpty else { throw Ended() }
            all += piece
        }
        return all
    }
}
