/// The coherence channel to one primary: whether every change of a known binding is being heard.
///
/// A subscriber connection receives the changes. Heartbeats prove that it does: each is written to the primary over
/// another connection and published there. A primary delivers in order and closes a connection rather than skip a
/// message, so a heartbeat that comes back shows that every earlier message has been applied. Pure: the shell connects,
/// sends and reads, and publishes the `status` after each event.
package struct CoherenceChannel: Sendable {
    /// Milliseconds between two heartbeats.
    package static let beatIntervalMilliseconds: Int64 = 100
    /// Only this many heartbeats in flight are remembered: 6.4 s of them.
    private static let underWayMax = 64

    /// A live channel past its lease is in doubt: the clock decides that, not an event.
    package enum State: String, Hashable, Sendable {
        /// No subscription. → proving
        case down
        /// Subscribed; no heartbeat has come back. → live, down
        case proving
        /// A heartbeat has come back. → down
        case live
    }

    /// What an echo proves.
    package enum Echo: Hashable, Sendable {
        case proven
        /// The store's data was replaced: everything remembered must be queried again.
        case provenAnew
        /// The heartbeat is unknown, or came from another server than the subscription's.
        case ignored
    }

    private struct Beat {
        let sequence: UInt64
        let sentAt: Instant
    }

    package private(set) var state = State.down
    /// Number of generations begun.
    package private(set) var generations: UInt64 = 0
    private let leaseMilliseconds: Int64
    private var beats: [Beat] = []
    private var nextSequence: UInt64 = 1
    private var server: ServerIdentity?
    private var era: String?
    private var provenAt: Instant?
    private var liveUntil = Instant.distantPast
    private var generationBegan = Instant.distantFuture
    private var lineage: UInt64 = 0
    private var lineageBegan = Instant.distantPast
    private var eras: UInt64 = 0
    /// When the last heartbeat that came back in this generation was sent; nil until one has.
    package private(set) var echoedBeatSentAt: Instant?

    package init(leaseMilliseconds: Int64) {
        self.leaseMilliseconds = leaseMilliseconds
    }

    package var status: Coherence.Status {
        switch state {
        case .down:
            Coherence.Status(
                liveUntil: .distantPast, generationBegan: .distantFuture, lineage: lineage, lineageBegan: lineageBegan,
                eras: eras)
        case .proving, .live:
            Coherence.Status(
                liveUntil: liveUntil, generationBegan: generationBegan, lineage: lineage, lineageBegan: lineageBegan,
                eras: eras)
        }
    }

    /// The server that the channel is subscribed to.
    package var subscribed: ServerIdentity? { state == .down ? nil : server }

    /// The subscription is established: from now on messages are heard. A new generation begins.
    package mutating func subscribed(to server: ServerIdentity, now: Instant) {
        if let before = self.server, before != server { beginLineage(now) }
        self.server = server
        state = .proving
        provenAt = now
        begin(now)
    }

    /// The sequence number of the heartbeat to send now.
    package mutating func beat(now: Instant) -> UInt64 {
        if beats.count >= Self.underWayMax { beats.removeFirst() }
        let sequence = nextSequence
        nextSequence &+= 1
        beats.append(Beat(sequence: sequence, sentAt: now))
        return sequence
    }

    /// No heartbeat may be sent now, so that none comes back says nothing about the subscription.
    package mutating func withheldBeat(now: Instant) {
        provenAt = now
    }

    /// A heartbeat has come back over the subscription, with every message before it applied.
    package mutating func echoed(_ sequence: UInt64, from server: ServerIdentity.RunID, era: String, now: Instant)
        -> Echo
    {
        guard state != .down, server == self.server?.runID,
            let index = beats.firstIndex(where: { $0.sequence == sequence })
        else { return .ignored }
        let sentAt = beats[index].sentAt
        beats.removeFirst(index + 1)
        provenAt = now
        let isSameEra = self.era == nil || self.era == era
        if !isSameEra {
            beginLineage(now)
            eras &+= 1
            begin(now)
        } else if self.era == nil {
            // The first era heard: the era before it is unknown. This one may be new because data was lost that had
            // been read or written.
            beginLineage(now)
            eras &+= 1
            generationBegan = now
        }
        self.era = era
        echoedBeatSentAt = sentAt
        state = .live
        liveUntil = max(liveUntil, sentAt.advanced(byMilliseconds: leaseMilliseconds))
        return isSameEra ? .proven : .provenAnew
    }

    /// The subscription is lost, or the store reported that it is not a primary.
    package mutating func lost() {
        state = .down
        echoedBeatSentAt = nil
        liveUntil = .distantPast
        generationBegan = .distantFuture
    }

    /// Whether to give up the subscription: no heartbeat has come back for two leases. The server may well answer on
    /// other connections; if it does not, ``ServerTrust`` finds out sooner.
    package func isSilent(_ now: Instant) -> Bool {
        guard state != .down, let provenAt else { return false }
        return now > provenAt.advanced(byMilliseconds: 2 * leaseMilliseconds)
    }

    /// Whether decisions may use what is remembered without querying the store.
    package func isLive(_ now: Instant) -> Bool { state == .live && now < liveUntil }

    private mutating func begin(_ now: Instant) {
        generations &+= 1
        generationBegan = now
        echoedBeatSentAt = nil
        liveUntil = .distantPast
    }

    private mutating func beginLineage(_ now: Instant) {
        lineage &+= 1
        lineageBegan = now
    }
}
