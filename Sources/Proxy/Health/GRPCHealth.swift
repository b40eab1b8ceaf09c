import Affinity
import HTTPWire
import NIOCore

/// The call by which a gRPC server says how it is (`grpc.health.v1.Health/Check`, for the server as a whole).
package enum GRPCHealth {
    package static let path = "/grpc.health.v1.Health/Check"

    private static let fields = "Content-Type: application/grpc\r\n"
    /// A message that is not compressed, of no bytes: a request that names no service.
    private static let message: [UInt8] = [0, 0, 0, 0, 0]

    /// - Parameter fields: complete lines.
    static func request(host: String, fields: String) -> CheckRequest {
        CheckRequest(
            head: ByteBuffer(string: "POST \(path) HTTP/1.1\r\nHost: \(host)\r\n\(fields)\(Self.fields)\r\n"),
            method: .post, call: ByteBuffer(bytes: message))
    }

    /// What the answer says against the server; nil: it serves.
    static func failure(of answer: CheckAnswer) -> FailingReason? {
        guard answer.status == 200 else { return .status(answer.status) }
        guard let status = status(answer.grpcLines) else { return .malformed }
        guard status == 0 else { return .grpcStatus(status) }
        guard let serving = servingStatus(answer.content) else { return .malformed }
        return serving == 1 ? nil : .notServing
    }

    /// The value of the first grpc-status.
    private static func status(_ lines: [UInt8]) -> Int? {
        let line = lines.split { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") }
            .first { $0.prefix { $0 != UInt8(ascii: ":") }.map(FieldEdit.lowered).elementsEqual("grpc-status".utf8) }
        guard let value = line?.split(separator: UInt8(ascii: ":"), maxSplits: 1).last else { return nil }
        return Int(String(decoding: value.filter { $0 != UInt8(ascii: " ") }, as: UTF8.self))
    }

    /// Field 1 of the message, an enumeration whose default is 0; nil if this is no such message.
    private static func servingStatus(_ content: [UInt8]) -> UInt64? {
        guard content.count >= 5, content[0] == 0,
            content[1..<5].reduce(0, { $0 << 8 | Int($1) }) == content.count - 5
        else { return nil }
        var rest = content[5...]
        var status: UInt64 = 0
        while !rest.isEmpty {
            guard let tag = varint(&rest) else { return nil }
            switch tag & 7 {
            case 0:
                guard let value = varint(&rest) else { return nil }
                if tag >> 3 == 1 { status = value }
            case 2:
                guard let length = varint(&rest), length <= UInt64(rest.count) else { return nil }
                rest = rest.dropFirst(Int(length))
            default:
                return nil
            }
        }
        return status
    }

    /// A number of at most nine groups of seven bits, the lowest first.
    private static func varint(_ rest: inout ArraySlice<UInt8>) -> UInt64? {
        var value: UInt64 = 0
        for shift in stride(from: 0 as UInt64, to: 63, by: 7) {
            guard let byte = rest.popFirst() else { return nil }
            value |= UInt64(byte & 0x7F) << shift
            if byte & 0x80 == 0 { return value }
        }
        return nil
    }
}
