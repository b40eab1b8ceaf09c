import HTTP2Wire
import HTTPWire

/// Any frames, from a client or a server, cut anywhere: no memory is misused, nothing waits for ever, and each head
/// that comes of them is one head of HTTP/1.1, or is refused by its scanner; never the beginning of two.
///
/// The first byte says who receives, and into what parts the bytes are cut. Each record after it becomes a frame: type,
/// flags, stream, length, and what fills it. A type of 128 and above becomes a head of literal fields.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzHTTP2(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    guard count > 0 else { return 0 }
    var records = Records(UnsafeBufferPointer(start: start + 1, count: count - 1))
    let peer = Peer(start[0] & 1 == 0 ? .server : .client)
    var bytes = start[0] & 1 == 0 ? Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) : []
    bytes += [0, 0, 0, 4, 0, 0, 0, 0, 0]
    while let frame = records.next() { bytes += frame }
    let part = Int(start[0] >> 1) * 7 + 1
    for (turn, begin) in stride(from: 0, to: bytes.count, by: part).enumerated() {
        guard peer.receive(Array(bytes[begin..<min(begin + part, bytes.count)]), at: UInt64(turn)) else { break }
    }
    return 0
}

private struct Records {
    private var rest: Slice<UnsafeBufferPointer<UInt8>>

    init(_ bytes: UnsafeBufferPointer<UInt8>) {
        rest = bytes[...]
    }

    mutating func next() -> [UInt8]? {
        guard rest.count >= 4 else { return nil }
        let head = Array(rest.prefix(4))
        rest = rest.dropFirst(4)
        let filling = Array(rest.prefix(Int(head[3])))
        rest = rest.dropFirst(filling.count)
        let payload = head[0] < 128 ? filling : block(filling)
        let type = head[0] < 128 ? head[0] : 1
        let flags = head[0] < 128 ? head[1] : head[1] | 4
        return [0, UInt8(payload.count >> 8), UInt8(payload.count & 0xff), type, flags, 0, 0, 0, head[2] % 8] + payload
    }

    /// Literals that are not indexed (RFC 7541, section 6.2.2): each a length of the name, one of the value, and both.
    private func block(_ filling: [UInt8]) -> [UInt8] {
        let method: [UInt8] = [0x82, 0x84, 0x86]
        var (block, rest) = (method, filling[...])
        while rest.count >= 2 {
            let lengths = Array(rest.prefix(2)).map { Int($0 % 32) }
            rest = rest.dropFirst(2)
            let name = rest.prefix(lengths[0])
            let value = rest.dropFirst(name.count).prefix(lengths[1])
            rest = rest.dropFirst(name.count + value.count)
            block += [0, UInt8(name.count)] + name + [UInt8(value.count)] + value
        }
        return block
    }
}

/// Answers what it can, and checks each head.
private final class Peer: HTTP2Events {
    private var session: HTTP2Session?
    private let isServer: Bool
    private let scanner = HeadScanner(limits: MessageLimits())
    private let fields = FieldTable()
    private var left: [Int32: Int] = [:]

    init(_ role: HTTP2Settings.Role) {
        isServer = role == .server
        session = HTTP2Session(HTTP2Settings(role), events: self)
        guard role == .client else { return }
        for _ in 0..<2 {
            var head = Array("GET / HTTP/1.1\r\nHost: h\r\n\r\n".utf8)
            _ = head.withUnsafeMutableBytes {
                session?.send(request: $0, scheme: "http", acceptsTrailers: true, ends: false)
            }
        }
    }

    func receive(_ bytes: [UInt8], at milliseconds: UInt64) -> Bool {
        guard let session else { return false }
        let goesOn = bytes.withUnsafeBytes { session.receive($0, at: milliseconds) }
        var turns = 0
        while session.nextOutput({ _ in }) {
            turns += 1
            precondition(turns < 100_000, "output without end")
        }
        return goesOn
    }

    func received(head: UnsafeRawBufferPointer, of stream: Int32, ends: Bool) {
        let length: Int? =
            if isServer {
                switch scanner.scanRequest(head, into: fields) {
                case .head(let head): head.length
                case .refused: nil
                case .incomplete: -1
                }
            } else {
                switch scanner.scanResponse(head, requestMethod: .get, into: fields) {
                case .head(let head): head.length
                case .refused: nil
                case .incomplete: -1
                }
            }
        precondition(length == nil || length == head.count, "not one head")
        guard isServer else { return }
        var answer = Array("HTTP/1.1 200 OK\r\nContent-Length: 100\r\nX-A: b\r\n\r\n".utf8)
        left[stream] = 100
        _ = answer.withUnsafeMutableBytes { session?.send(response: $0, on: stream, ends: stream % 4 == 1) }
    }

    func refusedHead(of stream: Int32, _ fault: HTTP2HeadFault) {}

    func received(content: UnsafeRawBufferPointer, of stream: Int32) {
        session?.consume(content.count, of: stream)
        if content.first == 1 { session?.reset(stream, HTTP2ErrorCode.cancel) }
    }

    func receivedEnd(of stream: Int32, trailers: UnsafeRawBufferPointer) {
        if !trailers.isEmpty { _ = fields.scanTrailers(trailers, limits: MessageLimits()) }
        session?.resume(stream)
    }

    func closed(_ stream: Int32, error: UInt32) { left[stream] = nil }

    func receivedGoAway(last: Int32, error: UInt32) {}

    func content(of stream: Int32, atMost limit: Int) -> HTTP2Content {
        let count = min(limit, left[stream] ?? 0)
        let isLast = count == left[stream] ?? 0
        guard isLast, stream % 8 == 3 else { return HTTP2Content(count: count, end: isLast ? .complete : .goesOn) }
        let hasTrailers = session?.send(trailers: Array("X-Last: 1\r\n".utf8), of: stream) == true
        return HTTP2Content(count: count, end: hasTrailers ? .completeWithTrailers : .complete)
    }

    func write(_ count: Int, of stream: Int32, after frameHead: UnsafeRawBufferPointer) {
        precondition(frameHead.count == 9)
        left[stream, default: count] -= count
    }

    func webSocketKey() -> [UInt8] { Array("bGltcGV0bGltcGV0bGltcA==".utf8) }

    func webSocketAccept(of stream: Int32) -> [UInt8] { Array("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=".utf8) }
}
