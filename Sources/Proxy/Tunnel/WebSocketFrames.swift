/// Follows the frames in one direction of a WebSocket connection (RFC 6455, section 5.2), to know where one ends and
/// the next begins. Takes bytes in any pieces; payloads are skipped.
struct WebSocketFrames {
    private enum Position {
        /// Before the first byte of a frame.
        case start
        /// Before the byte with the mask bit and the length.
        case length
        /// Within the extended length; this number of its bytes is missing.
        case extendedLength(missing: Int)
    }

    private var position = Position.start
    private var isMasked = false
    private var isCloseFrame = false
    private var length: UInt64 = 0
    /// The bytes that are missing until the frame ends, once its length is known.
    private var rest: UInt64 = 0
    /// A Close frame has begun: no other frame follows it (section 5.5.1).
    private(set) var hasClosed = false
    /// A length with its highest bit set, which section 5.2 forbids: the frames cannot be followed any further.
    private var isBroken = false

    /// Whether the bytes so far end with a frame, so that another frame may be inserted here.
    var isAtBoundary: Bool {
        guard case .start = position else { return false }
        return rest == 0 && !isBroken
    }

    mutating func advance(_ bytes: UnsafeRawBufferPointer) {
        _ = advance(bytes, stopsAtBoundary: false)
    }

    /// Advances to the first boundary in the bytes. Returns the number of bytes before it, or nil if there is none.
    mutating func advanceToBoundary(_ bytes: UnsafeRawBufferPointer) -> Int? {
        let count = advance(bytes, stopsAtBoundary: true)
        return isAtBoundary ? count : nil
    }

    private mutating func advance(_ bytes: UnsafeRawBufferPointer, stopsAtBoundary: Bool) -> Int {
        var index = 0
        while index < bytes.count, !isBroken {
            if rest > 0 {
                let step = min(rest, UInt64(bytes.count - index))
                rest -= step
                index += Int(step)
            } else {
                read(bytes[index])
                index += 1
            }
            if stopsAtBoundary, isAtBoundary { return index }
        }
        return index
    }

    /// One byte of a frame's header.
    private mutating func read(_ byte: UInt8) {
        switch position {
        case .start:
            isCloseFrame = byte & 0x0f == 8
            position = .length
        case .length:
            isMasked = byte & 0x80 != 0
            length = 0
            switch byte & 0x7f {
            case 126: position = .extendedLength(missing: 2)
            case 127: position = .extendedLength(missing: 8)
            case let short:
                length = UInt64(short)
                headerEnds()
            }
        case .extendedLength(let missing):
            length = length << 8 | UInt64(byte)
            position = .extendedLength(missing: missing - 1)
            if missing == 1 { headerEnds() }
        }
    }

    private mutating func headerEnds() {
        position = .start
        isBroken = length >= 1 << 63
        hasClosed = hasClosed || isCloseFrame
        rest = length &+ (isMasked ? 4 : 0)
    }

    // MARK: Close frames

    /// A Close frame that says that the server goes away (section 7.4.1: 1001), to a client.
    static let goingAway: [UInt8] = [0x88, 0x02, 0x03, 0xe9]

    /// The same to a server, masked as section 5.3 requires.
    /// - Parameter key: random.
    static func goingAway(maskedBy key: UInt32) -> [UInt8] {
        let mask = (0..<4).map { UInt8(truncatingIfNeeded: key >> (8 * $0)) }
        return [0x88, 0x82] + mask + [0x03 ^ mask[0], 0xe9 ^ mask[1]]
    }
}
