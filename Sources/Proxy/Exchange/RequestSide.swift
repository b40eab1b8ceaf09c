import HTTPWire

/// The request's half of an exchange: how much of it has gone to the backend, and whether it may be sent again. Pure:
/// events in, what to do out.
struct RequestSide {
    enum AfterPart: Equatable {
        /// The backend takes more.
        case goOn
        /// The backend takes nothing for now: no more is to be read from the client.
        case pause
        /// All of the request has been sent.
        case complete
        /// What the client sent cannot be passed on. What was sent stays incomplete.
        case refuse(BodyRefusal)
    }

    let method: Method
    /// Whether the head said that a body follows, and how it is framed.
    let framing: BodyFraming
    /// All of the request has been sent.
    private(set) var isComplete: Bool
    private var attempts: Attempts

    init(_ head: RequestHead) {
        method = head.method
        framing = head.framing
        isComplete = !head.framing.hasBody
        attempts = Attempts(mayBeRepeated: head.method.isSafe && !head.framing.hasBody)
    }

    /// A part of the body has been sent.
    mutating func sent(_ end: BodyPart.End?, backendIsWritable: Bool) -> AfterPart {
        switch end {
        case nil: return backendIsWritable ? .goOn : .pause
        case .refused(let refusal): return .refuse(refusal)
        case .complete:
            isComplete = true
            return .complete
        }
    }

    /// No connection could be made.
    /// - Parameter isUp: false where the backend counts as down by now.
    mutating func connectFailed(isUp: Bool) -> Attempts.AfterConnectFailure {
        let next = attempts.connectFailed(isUp: isUp)
        if next == .backendFailed { attempts.moved() }
        return next
    }

    /// The connection was lost after bytes of the request went out and before the response's head was whole.
    /// - Parameter afterInterim: an interim response came: the backend has begun to work.
    mutating func connectionLost(afterInterim: Bool) -> Attempts.AfterLoss {
        guard isComplete, !afterInterim else { return .giveUp }
        return attempts.connectionLost()
    }
}
