import NIOCore
import TLS

/// The one thing that is read of a ClientHello before a TLS library sees it: the name that the client asks for (RFC
/// 6066, section 3). Which certificate and which rules serve the connection depends on it. Pure.
enum ClientHello: Equatable {
    /// The message cannot be complete before there are this many bytes in all.
    case incomplete(until: Int)
    /// The name, in lowercase and without a final dot; nil if the client names none, or none that is a host name.
    case complete(serverName: String?)
    /// Not a ClientHello, or one that exceeds a limit. The value is for people.
    case malformed(String)

    /// A longer ClientHello is refused: the library takes no longer one either. Browsers send at most 2 KiB today.
    static let byteCountMax = 16 << 10
    /// So that a client that sends a byte a record cannot make each of them expensive.
    static let recordCountMax = 64
    private static let recordByteCountMax = 16 << 10

    /// - Parameter bytes: everything that the client has sent: records of TLS.
    static func read(_ bytes: ByteBufferView) -> ClientHello {
        var message: [UInt8] = []
        var records = Reader(bytes[...])
        for _ in 0..<recordCountMax {
            let begun = bytes.count - records.rest.count
            guard let header = records.take(5) else { return .incomplete(until: begun + 5) }
            let start = header.startIndex
            let length = Int(header[start + 3]) << 8 | Int(header[start + 4])
            guard header[start] == 0x16, header[start + 1] == 3 else { return .malformed("not a handshake") }
            guard (1...recordByteCountMax).contains(length) else { return .malformed("a record's length") }
            guard let content = records.take(length) else { return .incomplete(until: begun + 5 + length) }
            message += content
            guard message[0] == 1 else { return .malformed("not a ClientHello") }
            guard message.count >= 4 else { continue }
            let size = 4 + (Int(message[1]) << 16 | Int(message[2]) << 8 | Int(message[3]))
            guard size <= byteCountMax else { return .malformed("longer than \(byteCountMax) bytes") }
            if message.count >= size { return parse(message[4..<size]) }
        }
        return .malformed("more than \(recordCountMax) records")
    }

    private static func parse(_ body: ArraySlice<UInt8>) -> ClientHello {
        var hello = Reader(body)
        guard hello.take(34) != nil, hello.takeVector(lengthBytes: 1) != nil, hello.takeVector(lengthBytes: 2) != nil,
            hello.takeVector(lengthBytes: 1) != nil
        else { return .malformed("cut short") }
        guard !hello.rest.isEmpty else { return .complete(serverName: nil) }
        guard let list = hello.takeVector(lengthBytes: 2), hello.rest.isEmpty else {
            return .malformed("the extensions' length")
        }
        var extensions = Reader(list)
        while !extensions.rest.isEmpty {
            guard let kind = extensions.take(2), let content = extensions.takeVector(lengthBytes: 2) else {
                return .malformed("an extension's length")
            }
            guard kind.elementsEqual([0, 0]) else { continue }
            return serverName(content)
        }
        return .complete(serverName: nil)
    }

    private static func serverName(_ content: ArraySlice<UInt8>) -> ClientHello {
        var content = Reader(content)
        guard let list = content.takeVector(lengthBytes: 2), content.rest.isEmpty else {
            return .malformed("the server name's length")
        }
        var names = Reader(list)
        guard let kind = names.take(1), let name = names.takeVector(lengthBytes: 2), kind.first == 0 else {
            return .malformed("the server name")
        }
        return .complete(serverName: ServerName.normalized(name))
    }
}

/// Takes parts off the front of bytes.
private struct Reader<Bytes: RandomAccessCollection> where Bytes.Element == UInt8, Bytes.SubSequence == Bytes {
    private(set) var rest: Bytes

    init(_ bytes: Bytes) { rest = bytes }

    mutating func take(_ count: Int) -> Bytes? {
        guard rest.count >= count else { return nil }
        defer { rest = rest.dropFirst(count) }
        return rest.prefix(count)
    }

    /// A vector (RFC 8446, section 3.4): its length, then its bytes.
    mutating func takeVector(lengthBytes: Int) -> Bytes? {
        var attempt = self
        guard let length = attempt.take(lengthBytes)?.reduce(0, { $0 << 8 | Int($1) }),
            let content = attempt.take(length)
        else { return nil }
        self = attempt
        return content
    }
}
