import HTTPWire

/// The response's half of an exchange: what of it has come and gone to the client. Pure: events in, what to do out.
struct ResponseSide {
    enum AfterPart: Equatable {
        /// The client takes more.
        case goOn
        /// The client takes nothing for now: no more is to be read from the backend.
        case pause
        case complete(trailers: [UInt8])
        /// The rest will not come: the client is to see that.
        case cut
    }

    enum AfterFailure: Equatable {
        /// Send the request once more.
        case sendAgain
        case answer(ErrorStatus)
        /// The client has the response's head already: it is to see that the rest will not come.
        case cut
    }

    private enum State {
        /// → bindingKeys, passing
        case awaitingHead
        /// The head has come; it is held back until the store knows so many session keys that it issues. → passing
        case bindingKeys(Int)
        /// The head has gone to the client.
        case passing
    }

    private var state = State.awaitingHead
    private var hasLookedForKeys = false
    /// What the client was answered; 0 before that.
    private(set) var status = 0

    var isPassing: Bool {
        if case .passing = state { true } else { false }
    }

    /// The response's head is held back for its session keys.
    var isHeldBack: Bool {
        if case .bindingKeys = state { true } else { false }
    }

    /// Whether the head that came is to be searched for session keys: true once.
    mutating func looksForKeys() -> Bool {
        defer { hasLookedForKeys = true }
        return !hasLookedForKeys
    }

    /// So many session keys in the head are to be bound before it goes on.
    mutating func issues(keys count: Int) {
        if count > 0 { state = .bindingKeys(count) }
    }

    /// One of the keys has been bound, or cannot be. Returns whether the head may go on.
    mutating func keyWasBound() -> Bool {
        guard case .bindingKeys(let left) = state else { return false }
        state = left > 1 ? .bindingKeys(left - 1) : .awaitingHead
        return left <= 1
    }

    /// The head goes to the client.
    mutating func pass(status: Int) {
        state = .passing
        self.status = status
    }

    /// Limpet answers by itself, or the client has gone before anybody did.
    mutating func answered(status: Int) {
        if self.status == 0 { self.status = status }
    }

    /// A part of the body has been sent.
    func sent(_ end: BodyPart.End?, clientIsWritable: Bool) -> AfterPart {
        switch end {
        case nil: clientIsWritable ? .goOn : .pause
        case .complete(let trailers): .complete(trailers: trailers)
        case .refused: .cut
        }
    }

    /// No more of the response will come.
    func failed(_ failure: UpstreamFailure, _ request: inout RequestSide) -> AfterFailure {
        guard !isPassing else { return .cut }
        switch failure {
        case .lost(let afterInterim):
            let next = request.connectionLost(afterInterim: afterInterim)
            return next == .sendAgain ? .sendAgain : .answer(.badGateway)
        case .malformed, .cut:
            return .answer(.badGateway)
        }
    }

    /// The backend neither sent nor took a byte for too long.
    func backendTimedOut() -> AfterFailure { isPassing ? .cut : .answer(.gatewayTimeout) }

    /// The client neither sent nor took a byte for too long.
    func clientTimedOut(requestIsComplete: Bool) -> AfterFailure {
        isPassing || requestIsComplete ? .cut : .answer(.requestTimeout)
    }
}
