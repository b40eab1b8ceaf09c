import Configuration
import Synchronization

/// Hides the values of query parameters that carry session keys, or carried them under an earlier configuration: a
/// request that began before a change may end long after it.
final class LiveRedaction: Sendable {
    private struct State {
        var names: Set<String>
        var redaction: QueryRedaction
    }

    private let state: Mutex<State>

    init(_ services: [ServiceSettings]) {
        let names = QueryRedaction.names(services)
        state = Mutex(State(names: names, redaction: QueryRedaction(names: names)))
    }

    var value: QueryRedaction { state.withLock { $0.redaction } }

    /// Also hides the parameters of these services.
    func add(_ services: [ServiceSettings]) {
        state.withLock { state in
            state.names.formUnion(QueryRedaction.names(services))
            state.redaction = QueryRedaction(names: state.names)
        }
    }
}
