/// The rules of the protocol, each of which a simulation can do without, to show what it is for.
///
/// None is turned off inside the core: the simulation hands the core what it would be handed if the rule were not
/// there, or carries out what the core decides as if it were not.
package enum SimulationRule: String, Sendable, CaseIterable {
    /// A live channel counts as live only until its last heartbeat that came back is a lease old.
    case lease
    /// The lease counts from when the heartbeat was sent, not from when it came back.
    case leaseFromSending
    /// A new subscription begins a new generation.
    case generation
    /// The heartbeat writes before it publishes, so that a primary that takes no writes sends none back.
    case writeHeartbeat
    /// Subscription and data connections lead to the same server; what another says is not kept as current.
    case sameServer
    /// A changed era begins a new generation.
    case era
    /// Messages are applied before the echo that follows them counts.
    case messageOrder
    /// Rebinds, restores and drops are published.
    case broadcast
    /// An answer below what was heard while it was under way is not kept.
    case floors
    /// An answer that was asked for before the generation began is not kept as current.
    case fillGeneration
    /// An answer older than the lease is not kept as current.
    case replyAge
    /// What the store answers lives for the remaining lifetime, counted from when it was asked.
    case lifetimeFromSending
    /// Knowledge of an epoch above the record's is written back.
    case restore
    /// A rebind compares before it sets.
    case compareAndSet
    /// What was decided without the store is offered to it by a sweep.
    case sweep
    /// A guess never overrides a record.
    case guessYields
    /// A guess stays at epoch 0 however often its backend fails.
    case guessEpoch
    /// Own writes are repeated after the store may have lost them.
    case replay
    /// One question at a time for a session and loop.
    case singleFlight
    /// Dropping a session leaves a tombstone, one epoch up.
    case tombstone
    /// Sessions in use are touched.
    case touch
    /// The answer to a touch is read.
    case touchReply
    /// A hint of a higher epoch than the entry's is not overlooked.
    case hintEpoch
    /// A replica that alone cannot reach a backend moves no session off it.
    case consent
    /// As many for as against are no majority.
    case tie
    /// A session is moved only while the channel is live.
    case moveOnlyLive
    /// Of two bindings of epoch 1 the one that the store once confirmed stands.
    case confirmedStands
    /// A primary without replicas in reach takes no writes.
    case guardedFailOver
}
