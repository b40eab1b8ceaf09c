import HTTPWire

/// The response's half of an exchange: what has arrived and been sent to the client. Pure: events in, actions out.
struct ResponseSide {
    enum AfterPart: Equatable {
        /// The client accepts more.
        case proceed
        /// The client accepts nothing for now: stop reading from the backend.
        case pause
        case complete(trailers: [UInt8])
        /// The rest breaks the framing; make visible to the client that it will not arrive.
        case refuse(BodyRefusal)
    }

    enum AfterFailure: Equatable {
        /// Send the request once more.
        case sendAgain(Cause)
        /// The backend did nothing with the request: send it as if it had not been sent.
        case sendUnprocessed
        case answer(Cause)
        /// The client already has the response's head: make visible that the rest will not arrive.
        case cut(Cause)
    }

    private enum State {
        /// → bindingKeys, passing
        case awaitingHead
        /// The head has arrived and is held back until this number of session keys in it have been bound in the store.
        /// → passing
        case bindingKeys(Int)
        /// The head has been sent to the client.
        case passing
    }

    private var state = State.awaitingHead
    private var hasLookedForKeys = false
    /// The status that the client received; 0 before that.
    private(set) var status = 0

    var isPassing: Bool {
        if case .passing = state { true } else { false }
    }

    /// The response's head is held back until its session keys are bound.
    var isHeldBack: Bool {
        if case .bindingKeys = state { true } else { false }
    }

    /// Whether the received head must be searched for session keys: true once.
    mutating func looksForKeys() -> Bool {
        defer { hasLookedForKeys = true }
        return !hasLookedForKeys
    }

    /// This number of session keys in the head must be bound before it is forwarded.
    mutating func issues(keys count: Int) {
        if count > 0 { state = .bindingKeys(count) }
    }

    /// One of the keys has been bound, or cannot be. Returns whether the head may be forwarded.
    mutating func keyWasBound() -> Bool {
        guard case .bindingKeys(let left) = state else { return false }
        state = left > 1 ? .bindingKeys(left - 1) : .awaitingHead
        return left <= 1
    }

    /// The head is sent to the client.
    mutating func pass(status: Int) {
        state = .passing
        self.status = status
    }

    /// Limpet responds itself, or the client disconnected before any response.
    mutating func answered(status: Int) {
        if self.status == 0 { self.status = status }
    }

    /// A part of the body has been sent.
    func sent(_ end: BodyPart.End?, clientIsWritable: Bool) -> AfterPart {
        switch end {
        case nil: clientIsWritable ? .proceed : .pause
        case .complete(let trailers): .complete(trailers: trailers)
        case .refused(let refusal): .refuse(refusal)
        }
    }

    /// No more of the response will arrive.
    /// - Parameter isRetried: the request's retries decide how often it is sent again.
    func failed(
        _ failure: UpstreamFailure, _ request: inout RequestSide, isRetried: Bool = false
    ) -> AfterFailure {
        guard !isPassing else { return .cut(failure.cause) }
        if let afterInterim = failure.lossIsAfterInterim,
            request.connectionLost(afterInterim: afterInterim, isRetried: isRetried) == .sendAgain
        {
            return .sendAgain(failure.cause)
        }
        if failure == .notProcessed, request.wasNotProcessed() == .sendAgain { return .sendUnprocessed }
        return .answer(failure.cause)
    }

    /// The backend neither sent nor accepted a byte for too long.
    func backendTimedOut(requestIsComplete: Bool) -> AfterFailure {
        if isPassing { return .cut(Cause(.responseStalled)) }
        return .answer(Cause(requestIsComplete ? .responseTimeout : .backendStalled))
    }

    /// The time for the request and its response is over.
    func timedOut(requestIsComplete: Bool) -> AfterFailure {
        if isPassing { return .cut(Cause(.exchangeTimeout)) }
        return .answer(Cause(requestIsComplete ? .exchangeTimeout : .requestBodyTimeout))
    }

    /// The client neither sent nor accepted a byte for too long.
    func clientTimedOut(requestIsComplete: Bool) -> AfterFailure {
        isPassing || requestIsComplete ? .cut(Cause(.clientStalled)) : .answer(Cause(.requestBodyTimeout))
    }
}
