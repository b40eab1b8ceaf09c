/// The rules of the protocol. A simulation can turn each of them off, to show what it is for.
///
/// No rule is turned off inside the core: the simulation gives the core the input that it would receive without the
/// rule, or executes the core's decisions as if the rule did not exist.
package enum SimulationRule: String, Sendable, CaseIterable {
    /// A live channel counts as live only until a lease has passed since its last echoed heartbeat.
    case lease
    /// The lease counts from the time when the heartbeat was sent, not from the time of its echo.
    case leaseFromSending
    /// A new subscription begins a new generation.
    case generation
    /// The heartbeat writes before it publishes, so that a primary that refuses writes does not echo it.
    case writeHeartbeat
    /// Subscription and data connections lead to the same server; results from another server are not kept as current.
    case sameServer
    /// A changed era begins a new generation.
    case era
    /// Messages are applied before the echo that follows them counts.
    case messageOrder
    /// Rebinds, restores and drops are published.
    case broadcast
    /// A result below the epoch that was heard while it was in flight is not kept.
    case floors
    /// A result of an operation that was sent before the generation began is not kept as current.
    case fillGeneration
    /// A result older than the lease is not kept as current.
    case replyAge
    /// A result is kept for the remaining lifetime, counted from the time when its operation was sent.
    case lifetimeFromSending
    /// A known epoch above the record's is written back.
    case restore
    /// A rebind compares before it sets.
    case compareAndSet
    /// Decisions made without the store are offered to it by a sweep.
    case sweep
    /// A guess never overrides a record.
    case guessYields
    /// A guess stays at epoch 0 however often its backend fails.
    case guessEpoch
    /// A replica repeats its own writes after the store may have lost them.
    case replay
    /// One operation at a time for each session and loop.
    case singleFlight
    /// Dropping a session leaves a tombstone with the next epoch.
    case tombstone
    /// Sessions in use are touched.
    case touch
    /// The result of a touch is read.
    case touchReply
    /// A hint vouches for its record only if the replica that sealed it knew how long the record lives.
    case vouchedLife
    /// A hint with a higher epoch than the entry's is respected.
    case hintEpoch
    /// A replica that is the only one unable to reach a backend moves no session off it.
    case consent
    /// A tie is not a majority.
    case tie
    /// A session is moved only while the channel is live.
    case moveOnlyLive
    /// If two bindings have epoch 1, the binding that the store once confirmed wins.
    case confirmedWins
    /// A primary without reachable replicas refuses writes.
    case guardedFailOver
    /// What was written is announced.
    case announcements
    /// An announcement says what the store holds when it is published, not what was written.
    case announcedAsHeld
    /// The store is asked again about a session whose write had no result, until it answers.
    case askedAgain
    /// Standby from before the present lineage yields only to a higher epoch or to the same binding.
    case earlierLineage
    /// What was left out is a gap, after which the store is scanned.
    case leftOut
    /// A page of a scan also corrects what this replica has confirmed.
    case pageFills
    /// No scan begins while a replica refills.
    case scanAfterRefill
    /// The store is asked before standby is used.
    case standbyAsks
    /// An expired entry only names the backend of a guess.
    case expiredGuesses
    /// A store that has lost its data is refilled.
    case refill
    /// A store that came back with old data is refilled, too.
    case refillOldData
    /// A record with less than 3/4 of the life that is known does not count as seen.
    case lifeSeen
    /// A binding is offered at its own epoch.
    case offerEpoch
    /// What a minority of the Sentinels says changes no primary.
    case sentinelMajority
    /// A server that owes a reply, and is heard on no connection for a lease, is left on all of them.
    case silenceIsOfServer
    /// A server that does not answer the first commands of a connection owes a reply, too.
    case greetingIsOwed
    /// A server that was silent must accept a write that is sent 1.1 s after it is heard again.
    case settle
    /// A majority of the Sentinels must have named a server that was silent since it is heard again.
    case namedSince

    /// The profile whose scenarios need the rule; nil: those that are drawn from the seed.
    package var profile: Scenario.Profile? {
        switch self {
        case .sentinelMajority, .silenceIsOfServer, .greetingIsOwed, .settle, .namedSince: .sentinels
        case .askedAgain: .touches
        default: nil
        }
    }
}
