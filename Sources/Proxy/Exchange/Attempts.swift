/// How often one request may be tried, and where (end of section 5 of the affinity protocol). Pure.
///
/// A connection failure before any byte went out: once more to the same backend, then the backend counts as failed.
/// After bytes went out: only a safe method without a body is repeated, once. So a request that may have side effects
/// is sent at most once.
struct Attempts {
    /// Safe method (RFC 9110, section 9.2.1) and no body.
    let mayBeRepeated: Bool
    private var connectFailures = 0
    private var wasRepeated = false

    init(mayBeRepeated: Bool) {
        self.mayBeRepeated = mayBeRepeated
    }

    enum AfterConnectFailure: Equatable {
        case connectAgain
        /// The backend counts as failed: ask for another one.
        case backendFailed
    }

    /// - Parameter isUp: false where the backend counts as down by now: then nothing is learnt by waiting for it again.
    mutating func connectFailed(isUp: Bool) -> AfterConnectFailure {
        connectFailures += 1
        return isUp && connectFailures < 2 ? .connectAgain : .backendFailed
    }

    /// Another backend was chosen.
    mutating func moved() {
        connectFailures = 0
    }

    enum AfterLoss: Equatable {
        case sendAgain
        case giveUp
    }

    /// The connection was lost after bytes of the request went out and before a whole response head came.
    mutating func connectionLost() -> AfterLoss {
        guard mayBeRepeated, !wasRepeated else { return .giveUp }
        wasRepeated = true
        return .sendAgain
    }
}
