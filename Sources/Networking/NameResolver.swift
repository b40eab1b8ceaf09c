package import NIOCore
import Synchronization

/// Looks up host names for whoever connects, by the system's resolver on threads of its own: the shell around
/// ``NameTable``, which says how many at once, how long an answer serves, and what becomes of a name server's silence.
///
/// May be used from any thread.
package final class NameResolver: Sendable {
    /// What may take as long as it likes: ``SystemNames/addresses(of:)``, unless a test says otherwise.
    package typealias LookUp = @Sendable (_ name: String) -> NameTable.Answer
    package typealias Taker = @Sendable (NameTable.Answer) -> Void

    /// Of this process: what one connection has found out, every other knows.
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

    /// Asks for the addresses of a host name.
    ///
    /// - Parameters:
    ///   - loop: counts the time that is waited for a new answer where there is an old one; nil: only a new one will
    ///     do.
    ///   - taker: called once, unless the waiter is given up first: within this call, on the loop, or on a thread of
    ///     the resolver.
    package func lookUp(_ name: String, on loop: (any EventLoop)?, _ taker: @escaping Taker) -> NameTable.Waiter {
        let waiter = state.withLock { state in
            state.last += 1
            state.takers[state.last] = taker
            return state.last
        }
        advance(on: loop) { $0.lookUp(name, for: waiter, now: .now()) }
        return waiter
    }

    /// Nothing is told any more to one who asked. Returns false where it has been told.
    package func giveUp(_ waiter: NameTable.Waiter) -> Bool {
        state.withLock { state in
            state.table.giveUp(waiter)
            return state.takers.removeValue(forKey: waiter) != nil
        }
    }

    /// The addresses of a host name as they are now, however long that takes.
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
