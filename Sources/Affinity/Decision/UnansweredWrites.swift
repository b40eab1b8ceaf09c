/// The writes of an event loop whose results did not arrive. The store may have carried them out, or may still do so,
/// whatever else it has answered since: their bytes may wait in a connection that was given up. So the store is asked
/// again about these sessions until it answers.
///
/// Bounded, and each session once. What is asked at a time is bounded by the pace of offers.
struct UnansweredWrites: Sendable {
    static let waitingMax = 10_000

    private var order = BoundedQueue<Fingerprint>(capacity: waitingMax)
    private var waiting: [Fingerprint: OwnWrite] = [:]
    private var asked: [StoreOperation: OwnWrite] = [:]

    /// How many wait to be asked about.
    var count: Int { waiting.count }

    /// Adds a write, in place of an earlier one of the session. Returns false if there is no room.
    mutating func add(_ write: OwnWrite) -> Bool {
        if waiting[write.fingerprint] == nil, !order.append(write.fingerprint) { return false }
        waiting[write.fingerprint] = write
        return true
    }

    /// Takes out the next write to ask about.
    mutating func next() -> OwnWrite? {
        order.popFirst().flatMap { waiting.removeValue(forKey: $0) }
    }

    /// This operation, which has one result, asks about the session of the write.
    mutating func ask(_ operation: StoreOperation, about write: OwnWrite) {
        asked[operation] = write
    }

    /// The write that this operation asked about, if it did. It has a result now.
    mutating func answered(_ operation: StoreOperation) -> OwnWrite? {
        asked.isEmpty ? nil : asked.removeValue(forKey: operation)
    }

    /// Puts a write back whose question had no result, unless a later one of the session waits.
    mutating func askAgain(_ write: OwnWrite) -> Bool {
        waiting[write.fingerprint] != nil || add(write)
    }
}
