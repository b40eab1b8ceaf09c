import HTTPWire

/// The request's half of an exchange: how much of it has been sent to the backend, and whether it may be sent again.
/// Pure: events in, actions out.
struct RequestSide {
    enum AfterPart: Equatable {
        /// The backend accepts more.
        case proceed
        /// The backend accepts nothing for now: stop reading from the client.
        case pause
        /// The entire request has been sent.
        case complete
        /// The client's body cannot be forwarded. What has been sent remains incomplete.
        case refuse(BodyRefusal)
    }

    let method: Method
    /// The framing of the body; none if the head announces no body.
    let framing: BodyFraming
    /// The protocols to which the backend may switch; none for most requests.
    private(set) var offer = UpgradeProtocols()
    /// What the response must be, if the request is an extended CONNECT.
    var connect: ExtendedConnect?
    /// The client takes trailers, and said so (RFC 9110, section 10.1.4).
    var acceptsTrailers = false
    /// The entire request has been sent.
    private(set) var isComplete: Bool
    /// A part of the body has been sent: the client's bytes are gone.
    private var hasSentBody = false
    private var attempts: Attempts

    init(_ head: RequestHead) {
        method = head.method
        framing = head.framing
        isComplete = !head.framing.hasBody
        attempts = Attempts(mayBeRepeated: head.method.isSafe && !head.framing.hasBody)
    }

    /// Lets the backend switch to one of the protocols. A request with a body is served as if it offered none: the end
    /// of the body and the beginning of the other protocol could be confused.
    mutating func offers(_ protocols: UpgradeProtocols) {
        if !framing.hasBody { offer = protocols }
    }

    /// A part of the body has been sent.
    mutating func sent(_ end: BodyPart.End?, backendIsWritable: Bool) -> AfterPart {
        hasSentBody = true
        switch end {
        case nil: return backendIsWritable ? .proceed : .pause
        case .refused(let refusal): return .refuse(refusal)
        case .complete:
            isComplete = true
            return .complete
        }
    }

    /// No connection could be opened.
    /// - Parameter isUp: false if the backend already counts as down.
    mutating func connectFailed(isUp: Bool) -> Attempts.AfterConnectFailure {
        let next = attempts.connectFailed(isUp: isUp)
        if next == .backendFailed { attempts.moved() }
        return next
    }

    /// The connection was lost after bytes of the request were sent and before the response's head was complete.
    /// - Parameters:
    ///   - afterInterim: an interim response arrived, so the backend has begun to process the request.
    ///   - isRetried: the request's retries decide how often it is sent again.
    mutating func connectionLost(afterInterim: Bool, isRetried: Bool = false) -> Attempts.AfterLoss {
        guard isComplete, !afterInterim else { return .giveUp }
        return attempts.connectionLost(isRetried: isRetried)
    }

    /// The backend did nothing with the request: whatever its method, it is sent again, if all of it is still there.
    mutating func wasNotProcessed() -> Attempts.AfterLoss { hasSentBody ? .giveUp : attempts.notProcessed() }

    /// Whether the request may be sent again after it was sent.
    var mayBeRepeated: Bool { attempts.mayBeRepeated }
}
