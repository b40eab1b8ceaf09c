import Testing

@testable import Proxy

@Suite("Frames of a WebSocket")
struct WebSocketFramesTests {
    /// A frame with a payload of this length, as RFC 6455 section 5.2 writes it.
    static func frame(_ opcode: UInt8, _ length: Int, isMasked: Bool = false, isLast: Bool = true) -> [UInt8] {
        let mask: UInt8 = isMasked ? 0x80 : 0
        var bytes = [(isLast ? 0x80 : 0) | opcode]
        switch length {
        case ..<126: bytes.append(mask | UInt8(length))
        case ..<65536: bytes += [mask | 126, UInt8(length >> 8), UInt8(length & 255)]
        default: bytes += [mask | 127] + (0..<8).reversed().map { UInt8(truncatingIfNeeded: length >> (8 * $0)) }
        }
        if isMasked { bytes += [1, 2, 3, 4] }
        return bytes + [UInt8](repeating: 0x88, count: length)
    }

    private static let frames: [[UInt8]] = [
        frame(1, 0), frame(2, 5, isMasked: true, isLast: false), frame(9, 125), frame(0, 126), frame(0, 65535),
        frame(0, 65536, isMasked: true), frame(10, 0, isMasked: true),
    ]

    @Test("Boundaries lie between frames, whatever the pieces are", arguments: [1, 2, 3, 7, 1000, 1_000_000])
    func boundaries(size: Int) {
        let bytes = Self.frames.flatMap(\.self)
        var ends: Set<Int> = [0]
        for frame in Self.frames { ends.insert((ends.max() ?? 0) + frame.count) }
        var frames = WebSocketFrames()
        var position = 0
        while position < bytes.count {
            #expect(frames.isAtBoundary == ends.contains(position), "at \(position)")
            let next = min(position + size, bytes.count)
            Array(bytes[position..<next]).withUnsafeBytes { frames.advance($0) }
            position = next
        }
        #expect(frames.isAtBoundary && !frames.hasClosed)
    }

    @Test("The first boundary of a piece is found, and nothing behind it is read")
    func toBoundary() {
        let bytes = Self.frame(2, 10) + Self.frame(8, 2)
        var frames = WebSocketFrames()
        bytes.withUnsafeBytes { all in
            frames.advance(UnsafeRawBufferPointer(rebasing: all[..<1]))
            let first = frames.advanceToBoundary(UnsafeRawBufferPointer(rebasing: all[1..<11]))
            let second = frames.advanceToBoundary(UnsafeRawBufferPointer(rebasing: all[11...]))
            #expect(first == nil && second == 1)
        }
        #expect(!frames.hasClosed)
    }

    @Test("A Close frame is the last one")
    func closes() {
        var frames = WebSocketFrames()
        Self.frame(8, 2, isMasked: true).withUnsafeBytes { frames.advance($0) }
        #expect(frames.hasClosed && frames.isAtBoundary)
    }

    @Test("A length that no frame can have ends the boundaries")
    func broken() {
        var frames = WebSocketFrames()
        let header: [UInt8] = [0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0]
        (header + Self.frame(1, 0)).withUnsafeBytes { frames.advance($0) }
        #expect(!frames.isAtBoundary)
        let next = Self.frame(1, 0).withUnsafeBytes { frames.advanceToBoundary($0) }
        #expect(next == nil)
    }

    @Test("The Close frame to a server says 1001 under its mask")
    func masked() {
        let frame = WebSocketFrames.goingAway(maskedBy: 0x0403_0201)
        #expect(frame == [0x88, 0x82, 1, 2, 3, 4, 0x03 ^ 1, 0xe9 ^ 2])
        #expect(WebSocketFrames.goingAway == [0x88, 2, 0x03, 0xe9])
    }
}

@Suite("One direction of a tunnel")
struct TunnelFlowTests {
    /// How many of the bytes are passed, and then `close` if a Close frame follows.
    private func pass(_ bytes: some Sequence<UInt8>, _ flow: inout TunnelFlow) -> String {
        let passage = Array(bytes).withUnsafeBytes { flow.received($0) }
        return "\(passage.count)\(passage.closesAfterwards ? " close" : "")"
    }

    @Test("A WebSocket that must go away ends at a boundary")
    func goesAway() {
        var idle = TunnelFlow(isWebSocket: true)
        let endsAtOnce = idle.goAway()
        #expect(endsAtOnce && idle.hasEnded)
        var busy = TunnelFlow(isWebSocket: true)
        let frame = WebSocketFramesTests.frame(2, 100)
        var passed = [pass(frame[..<10], &busy)]
        let endsNow = busy.goAway()
        #expect(!endsNow && !busy.hasEnded)
        passed.append(pass(frame[10..<20], &busy))
        passed.append(pass(frame[20...] + frame, &busy))
        #expect(busy.hasEnded && busy.byteCount == UInt64(frame.count))
        passed.append(pass(frame, &busy))
        #expect(passed == ["10", "10", "\(frame.count - 20) close", "0"])
    }

    @Test("After a Close frame of a peer no other is sent")
    func closed() {
        var flow = TunnelFlow(isWebSocket: true)
        _ = pass(WebSocketFramesTests.frame(8, 2), &flow)
        let sends = flow.goAway()
        #expect(!sends && !flow.hasEnded)
    }

    @Test("The end of a direction is told once")
    func end() {
        var flow = TunnelFlow(isWebSocket: false)
        let told = [flow.inputClosed(), flow.inputClosed()]
        let sends = flow.goAway()
        #expect(told == [true, false] && flow.hasEnded && !sends)
    }
}
