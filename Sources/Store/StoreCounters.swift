package import Affinity

/// What one event loop has sent to the store and received from it, since the start.
package struct StoreCounters: Sendable {
    package enum Kind: String, CaseIterable, Sendable {
        case create, offer, restore, rebind, touch, drop, read
    }

    package enum Outcome: String, CaseIterable, Sendable {
        case written, record, absent, foreign
        case readOnly = "read_only"
    }

    private var sentByKind = [UInt64](repeating: 0, count: Kind.allCases.count)
    private var answeredByOutcome = [UInt64](repeating: 0, count: Outcome.allCases.count)
    private var failuresByKind = [UInt64](repeating: 0, count: StoreFailure.allCases.count)
    /// The time from sending an operation to its result, for operations that the store answered.
    package private(set) var latency = LatencyHistogram()
    /// Commands that the store answered with an error other than NOSCRIPT or WRONGTYPE, including those after which the
    /// record could still be read.
    package internal(set) var refusals: UInt64 = 0
    /// Connections that completed the handshake.
    package internal(set) var connections: UInt64 = 0
    /// Attempts to connect that failed, and connections lost.
    package internal(set) var connectionFailures: UInt64 = 0

    package init() {}

    package func sent(_ kind: Kind) -> UInt64 { sentByKind[kind.index] }
    package func answered(_ outcome: Outcome) -> UInt64 { answeredByOutcome[outcome.index] }
    package func failures(_ failure: StoreFailure) -> UInt64 { failuresByKind[failure.index] }

    /// Adds what another store has counted.
    package mutating func add(_ other: StoreCounters) {
        for (index, count) in other.sentByKind.enumerated() { sentByKind[index] &+= count }
        for (index, count) in other.answeredByOutcome.enumerated() { answeredByOutcome[index] &+= count }
        for (index, count) in other.failuresByKind.enumerated() { failuresByKind[index] &+= count }
        latency.add(other.latency)
        refusals &+= other.refusals
        connections &+= other.connections
        connectionFailures &+= other.connectionFailures
    }

    mutating func countSent(_ operation: StoreOperation) {
        switch operation {
        case .create: sentByKind[Kind.create.index] &+= 1
        case .offer: sentByKind[Kind.offer.index] &+= 1
        case .restore: sentByKind[Kind.restore.index] &+= 1
        case .rebind: sentByKind[Kind.rebind.index] &+= 1
        case .touch: sentByKind[Kind.touch.index] &+= 1
        case .drop: sentByKind[Kind.drop.index] &+= 1
        case .read: sentByKind[Kind.read.index] &+= 1
        }
    }

    mutating func countAnswered(_ result: StoreResult, microseconds: Int64) {
        switch result {
        case .written: answeredByOutcome[Outcome.written.index] &+= 1
        case .record: answeredByOutcome[Outcome.record.index] &+= 1
        case .absent: answeredByOutcome[Outcome.absent.index] &+= 1
        case .foreign: answeredByOutcome[Outcome.foreign.index] &+= 1
        case .readOnly: answeredByOutcome[Outcome.readOnly.index] &+= 1
        case .unavailable(let failure):
            failuresByKind[failure.index] &+= 1
            return
        }
        latency.record(microseconds: microseconds)
    }
}

extension StoreCounters.Kind {
    fileprivate var index: Int {
        switch self {
        case .create: 0
        case .offer: 1
        case .restore: 2
        case .rebind: 3
        case .touch: 4
        case .drop: 5
        case .read: 6
        }
    }
}

extension StoreCounters.Outcome {
    fileprivate var index: Int {
        switch self {
        case .written: 0
        case .record: 1
        case .absent: 2
        case .foreign: 3
        case .readOnly: 4
        }
    }
}

extension StoreFailure {
    fileprivate var index: Int {
        switch self {
        case .away: 0
        case .late: 1
        case .lost: 2
        case .refused: 3
        case .full: 4
        }
    }
}
