package import NIOCore
import Synchronization

/// Looks up host names, using the system's resolver on dedicated threads: the shell around ``NameTable``, which decides
/// how many lookups run at once, how long a result is used, and what happens when a name server is silent.
///
/// May be used from any thread.
package final class NameResolver: Sendable {
    /// A lookup that may block for any length of time: ``SystemNames/addresses(of:)``, unless a test replaces it.
    package typealias LookUp = @Sendable (_ name: String) -> NameTable.Answer
    package typealias Taker = @Sendable (NameTable.Answer) -> Void

    /// Shared by the process, so that all connections use each result.
    package static let shared = NameResolver()

    private struct State {
        var table = NameTable()
        var takers: [NameTable.Waiter: Taker] = [:]
        var last: NameTable.Waiter = 0
    }

    private let lookUp: LookUp
    private let threads = BlockingThreads(limit: NameTable.lookups)
    private let state = Mutex(State())

    package init(lookUp: @escaping LookUp = { SystemNames.addresses(of: $0) }) {
        self.lookUp = lookUp
    }

    /// Looks up the addresses of a host name.
    ///
    /// - Parameters:
    ///   - loop: schedules the reminder to fall back to an old result. Nil means that only a new result will do.
    ///   - taker: called once, unless the waiter gives up first: within this call, on the loop, or on one of the
    ///     resolver's threads.
    package func lookUp(_ name: String, on loop: (any EventLoop)?, _ taker: @escaping Taker) -> NameTable.Waiter {
        let waiter = state.withLock { state in
            state.last += 1
            state.takers[state.last] = taker
            return state.last
        }
        advance(on: loop) { $0.lookUp(name, for: waiter, now: .now()) }
        return waiter
    }

    /// Cancels a waiter: its taker will not be called. Returns false if the result was already delivered.
    package func giveUp(_ waiter: NameTable.Waiter) -> Bool {
        state.withLock { state in
            state.table.giveUp(waiter)
            return state.takers.removeValue(forKey: waiter) != nil
        }
    }

    /// The current addresses of a host name, however long the lookup takes.
    package func addresses(of name: String) async throws(CancellationError) -> NameTable.Answer {
        let (answers, continuation) = AsyncStream.makeStream(of: NameTable.Answer.self)
        let waiter = lookUp(name, on: nil) { answer in
            continuation.yield(answer)
            continuation.finish()
        }
        continuation.onTermination = { [self] _ in _ = giveUp(waiter) }
        for await answer in answers { return answer }
        throw CancellationError()
    }

    private func advance(on loop: (any EventLoop)? = nil, _ event: (inout NameTable) -> [NameTable.Action]) {
        let (actions, takers) = state.withLock { state in
            let actions = event(&state.table)
            let takers = actions.map { action -> Taker? in
                guard case .answer(let waiter, _) = action else { return nil }
                return state.takers.removeValue(forKey: waiter)
            }
            return (actions, takers)
        }
        for (action, taker) in zip(actions, takers) {
            switch action {
            case .lookUp(let name):
                threads.submit { [self] in
                    let outcome = lookUp(name)
                    advance { $0.finished(name, outcome, now: .now()) }
                }
            case .answer(_, let answer):
                taker?(answer)
            case .remind(let waiter):
                loop?.scheduleTask(in: NameTable.patience) { [self] in advance { $0.patienceIsOver(waiter) } }
            }
        }
    }
}
