/// One direction of a tunnel: how many bytes it has passed, and whether it passes more. Pure: events in, actions out.
struct TunnelFlow {
    private enum State {
        /// → closing, ended
        case open
        /// A Close frame follows the frame under way. → ended
        case closing
        /// Nothing more is passed.
        case ended
    }

    /// What to do with bytes that arrived.
    struct Passage: Equatable {
        /// How many of the bytes are passed. The rest is dropped.
        var count: Int
        /// Whether a Close frame follows them, and then the end.
        var closesAfterwards = false
    }

    private var state = State.open
    /// Nil if the tunnel does not carry WebSocket.
    private var frames: WebSocketFrames?
    private(set) var byteCount: UInt64 = 0

    init(isWebSocket: Bool) {
        frames = isWebSocket ? WebSocketFrames() : nil
    }

    var hasEnded: Bool {
        if case .ended = state { true } else { false }
    }

    /// Bytes arrived.
    mutating func received(_ bytes: UnsafeRawBufferPointer) -> Passage {
        let passage: Passage
        switch state {
        case .open:
            frames?.advance(bytes)
            passage = Passage(count: bytes.count)
        case .closing:
            let count = frames?.advanceToBoundary(bytes)
            passage = Passage(count: count ?? bytes.count, closesAfterwards: count != nil)
            if count != nil { state = .ended }
        case .ended:
            passage = Passage(count: 0)
        }
        byteCount &+= UInt64(passage.count)
        return passage
    }

    /// The sender sends nothing more. Returns whether the receiver still has to be told.
    mutating func inputClosed() -> Bool {
        defer { state = .ended }
        return !hasEnded
    }

    /// The replica stops. Returns true if a Close frame is to be sent at once, and then the end; otherwise that is due
    /// when the frame under way is complete.
    mutating func goAway() -> Bool {
        guard case .open = state, let frames, !frames.hasClosed else { return false }
        state = frames.isAtBoundary ? .ended : .closing
        return hasEnded
    }
}
