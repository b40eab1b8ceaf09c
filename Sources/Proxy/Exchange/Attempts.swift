/// How often one request may be tried, and where (end of section 5 of the affinity protocol). Pure.
///
/// If a connection fails before any byte was sent, the same backend is tried once more; then the backend counts as
/// failed. After bytes were sent, only a request with a safe method and no body is repeated: once, or as often as its
/// ``RetryRun`` allows. So a request that may have side effects is sent at most once, unless the backend says that
/// it did nothing with it: such a request is sent again a few times.
struct Attempts {
    /// Safe method (RFC 9110, section 9.2.1) and no body.
    let mayBeRepeated: Bool
    private var connectFailures = 0
    private var wasRepeated = false
    private var refusals = 0

    /// How often a request is sent that its backend did nothing with.
    static let refusalsMax = 3

    init(mayBeRepeated: Bool) {
        self.mayBeRepeated = mayBeRepeated
    }

    enum AfterConnectFailure: Equatable {
        case connectAgain
        /// The backend counts as failed: choose another one.
        case backendFailed
    }

    /// - Parameter isUp: false if the backend already counts as down: another attempt would reveal nothing.
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

    /// The connection was lost after bytes of the request were sent and before a complete response head arrived.
    /// - Parameter isRetried: the request's retries decide how often it is sent again.
    mutating func connectionLost(isRetried: Bool) -> AfterLoss {
        guard mayBeRepeated, isRetried || !wasRepeated else { return .giveUp }
        wasRepeated = true
        return .sendAgain
    }

    /// The backend says that it did nothing with the request.
    mutating func notProcessed() -> AfterLoss {
        refusals += 1
        return refusals <= Self.refusalsMax ? .sendAgain : .giveUp
    }
}
