import HTTPWire
import NIOCore

/// A call of gRPC, as far as a proxy heeds it: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md.
struct GRPCCall {
    /// How long the client waits for the end of the call; nil: it did not say.
    let timeout: TimeAmount?

    /// Nil if the request is none.
    init?(_ request: RequestView) {
        guard let index = request.fields.firstIndex(named: "content-type", in: request.bytes),
            Self.isGRPC(request.bytes[request.fields[index].valueRange])
        else { return nil }
        timeout = request.fields.firstIndex(named: "grpc-timeout", in: request.bytes)
            .flatMap { Self.timeout(request.bytes[request.fields[$0].valueRange]) }
    }

    /// Whether a head that is refused, in the form of HTTP/1.1 as a session makes it, is that of a call.
    static func isNamed(in head: UnsafeRawBufferPointer) -> Bool {
        let name = "content-type: ".utf8
        return head.split(separator: UInt8(ascii: "\n")).contains {
            $0.starts(with: name) && isGRPC($0.dropFirst(name.count).prefix { $0 != UInt8(ascii: "\r") })
        }
    }

    /// `application/grpc`, alone or followed by `+` or `;`. gRPC-Web is another protocol.
    private static func isGRPC(_ type: Slice<UnsafeRawBufferPointer>) -> Bool {
        let name = "application/grpc".utf8
        guard type.starts(with: name) else { return false }
        let next = type.dropFirst(name.count).first
        return next == nil || next == UInt8(ascii: "+") || next == UInt8(ascii: ";")
    }

    /// At most eight digits and a unit. What is longer than any request lasts is cut.
    static func timeout(_ text: some Collection<UInt8>) -> TimeAmount? {
        let digits = text.prefix { (0x30...0x39).contains($0) }
        guard (1...8).contains(digits.count), text.count == digits.count + 1,
            let unit = text.dropFirst(digits.count).first
        else { return nil }
        let most: Int64 = 10_000
        let written = digits.reduce(Int64(0)) { $0 * 10 + Int64($1 - 0x30) }
        let count = unit == UInt8(ascii: "H") || unit == UInt8(ascii: "M") ? min(written, most) : written
        switch unit {
        case UInt8(ascii: "H"): return .hours(count)
        case UInt8(ascii: "M"): return .minutes(count)
        case UInt8(ascii: "S"): return .seconds(count)
        case UInt8(ascii: "m"): return .milliseconds(count)
        case UInt8(ascii: "u"): return .microseconds(count)
        case UInt8(ascii: "n"): return .nanoseconds(count)
        default: return nil
        }
    }
}
