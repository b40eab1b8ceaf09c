package import NIOCore

/// What is known about host names, and which names are being looked up. Decides but performs nothing: events return the
/// actions to take.
///
/// - A name has at most one lookup at a time, however many callers want it. The result, even an error, is used for
///   ``freshness``, so that many simultaneous connections cost one lookup.
/// - The last addresses stay in use while new ones are sought. A caller waits ``patience`` for the new ones; once the
///   lookup has taken longer than that, no caller waits. Old addresses are dropped when an authoritative answer says
///   that the name has none, or a day after they were last confirmed.
/// - At most ``lookups`` names are looked up at once, and at most ``slowLookups`` of them are names whose last lookup
///   was slow, so that names that hang do not use up all lookups.
///
/// A lookup keeps its turn even if no caller waits for it any more, because the name will be needed again. The callers
/// bound the number of waiters: each waiter is a connection to be made.
package struct NameTable {
    package typealias Waiter = UInt64
    /// The addresses in the order in which they are to be tried, with port 0. Never empty.
    package typealias Answer = Result<[SocketAddress], NameError>

    package enum Action: Equatable {
        /// Look the name up, and report with ``finished(_:_:now:)``.
        case lookUp(String)
        /// The waiter's result. The waiter does not wait any more.
        case answer(Waiter, Answer)
        /// Call ``patienceIsOver(_:)`` after ``patience``.
        case remind(Waiter)
    }

    /// How long a result is used without another lookup. `getaddrinfo` does not report how long a result is valid.
    package static let freshness = TimeAmount.seconds(1)
    /// How long a caller waits for a new result if there is an old one.
    package static let patience = TimeAmount.milliseconds(200)
    /// How long addresses are used that cannot be confirmed (RFC 8767, section 5, suggests one to three days).
    package static let maximumAge = TimeAmount.hours(24)
    /// The maximum number of simultaneous lookups.
    package static let lookups = 16
    /// The maximum number of these for names whose last lookup took ``slowness`` or longer.
    package static let slowLookups = 12
    package static let slowness = TimeAmount.seconds(1)
    /// The maximum number of names kept. A new name replaces the least recently used one.
    package static let names = 4096

    private enum Search {
        case none
        case queued(since: NIODeadline)
        case running(since: NIODeadline, start: NIODeadline, isSlow: Bool)

        /// When the result was first missed.
        var start: NIODeadline? {
            switch self {
            case .none: nil
            case .queued(let since), .running(let since, _, _): since
            }
        }
    }

    private struct Entry {
        /// Empty if no addresses are known.
        var addresses: [SocketAddress] = []
        /// When they were last confirmed.
        var confirmed = NIODeadline.distantPast
        /// When the last look-up ended.
        var sought: NIODeadline?
        /// The error to report if `addresses` is empty.
        var error = NameError.noAddress
        var search = Search.none
        var waiters: [Waiter] = []
        var lastUsed = NIODeadline.distantPast
        /// Whether the last look-up was slow.
        var isSlow = false

        var answer: Answer { addresses.isEmpty ? .failure(error) : .success(addresses) }

        /// The result that is available without waiting for a lookup.
        func ready(now: NIODeadline) -> Answer? {
            if let sought, now < sought + NameTable.freshness { return answer }
            guard !addresses.isEmpty, let start = search.start, now >= start + NameTable.patience else { return nil }
            return answer
        }
    }

    private var entries: [String: Entry] = [:]
    /// The name that each waiter waits for.
    private var wanted: [Waiter: String] = [:]
    /// Names to look up, the longest-waiting first.
    private var queue: [String] = []
    private var slowQueue: [String] = []
    private var running = 0
    private var runningSlow = 0

    package init() {}

    /// A caller wants the addresses of a name.
    ///
    /// - Parameter waiter: a number that identifies the caller uniquely.
    package mutating func lookUp(_ name: String, for waiter: Waiter, now: NIODeadline) -> [Action] {
        guard makeRoom(for: name) else { return [.answer(waiter, .failure(.tooManyNames))] }
        var entry = entries[name] ?? Entry()
        entry.lastUsed = now
        if now >= entry.confirmed + Self.maximumAge { entry.addresses = [] }
        if let answer = entry.ready(now: now) {
            entries[name] = entry
            return [.answer(waiter, answer)]
        }
        entry.waiters.append(waiter)
        wanted[waiter] = name
        if case .none = entry.search {
            entry.search = .queued(since: now)
            if entry.isSlow { slowQueue.append(name) } else { queue.append(name) }
        }
        entries[name] = entry
        return (entry.addresses.isEmpty ? [] : [.remind(waiter)]) + startLookups(now: now)
    }

    /// A lookup has finished. No effect for a name that is not being looked up.
    package mutating func finished(_ name: String, _ outcome: Answer, now: NIODeadline) -> [Action] {
        guard var entry = entries[name], case .running(_, let start, let isSlow) = entry.search else { return [] }
        running -= 1
        if isSlow { runningSlow -= 1 }
        entry.search = .none
        entry.isSlow = now >= start + Self.slowness
        entry.sought = now
        switch outcome {
        case .success(let addresses):
            entry.addresses = addresses
            entry.confirmed = now
            entry.error = .noAddress
        case .failure(let error):
            entry.error = error
            if error == .noAddress { entry.addresses = [] }
        }
        let waiters = entry.waiters
        entry.waiters = []
        entries[name] = entry
        for waiter in waiters { wanted[waiter] = nil }
        return waiters.map { .answer($0, entry.answer) } + startLookups(now: now)
    }

    /// The waiter takes the last addresses instead of waiting longer. No effect for a waiter that does not wait any
    /// more.
    package mutating func patienceIsOver(_ waiter: Waiter) -> [Action] {
        guard let name = wanted[waiter], let answer = entries[name]?.answer, case .success = answer else { return [] }
        giveUp(waiter)
        return [.answer(waiter, answer)]
    }

    /// The waiter does not wait any more. Returns whether it was still waiting.
    @discardableResult
    package mutating func giveUp(_ waiter: Waiter) -> Bool {
        guard let name = wanted.removeValue(forKey: waiter) else { return false }
        entries[name]?.waiters.removeAll { $0 == waiter }
        return true
    }

    private mutating func startLookups(now: NIODeadline) -> [Action] {
        var actions: [Action] = []
        while running < Self.lookups {
            let isSlow = queue.isEmpty
            guard let name = isSlow ? nextSlow() : queue.removeFirst() else { break }
            guard case .queued(let since) = entries[name]?.search else { continue }
            entries[name]?.search = .running(since: since, start: now, isSlow: isSlow)
            running += 1
            if isSlow { runningSlow += 1 }
            actions.append(.lookUp(name))
        }
        return actions
    }

    private mutating func nextSlow() -> String? {
        runningSlow < Self.slowLookups && !slowQueue.isEmpty ? slowQueue.removeFirst() : nil
    }

    /// False if the table is full and a lookup is pending for every name in it.
    private mutating func makeRoom(for name: String) -> Bool {
        guard entries[name] == nil, entries.count >= Self.names else { return true }
        let idle = entries.lazy.filter { if case .none = $0.value.search { true } else { false } }
        guard let oldest = idle.min(by: { $0.value.lastUsed < $1.value.lastUsed }) else { return false }
        entries[oldest.key] = nil
        return true
    }
}
