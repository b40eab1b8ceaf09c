import Affinity
import NIOCore

/// The operations and commands in flight on one connection, in order. Events in, actions out.
///
/// An operation waits until its result arrives or its budget is over, whichever is first. The replies to its commands
/// keep their place in the queue either way, since RESP has no other way to match a reply to its command.
struct RedisConnectionState {
    /// An operation with its waiter.
    struct PendingOperation {
        let operation: StoreOperation
        let waiter: any StoreWaiter
        let stamp: OperationStamp
    }

    enum Ending: Equatable {
        case surplusReply
        case mistypedReply
    }

    enum Action {
        case wait
        case result(PendingOperation, StoreResult)
        /// Send this for the operation. The queue already expects its reply.
        case send(FollowUp, StoreOperation)
        /// The server did not know the script of this heartbeat: send its source. The queue already expects the reply.
        case sendBeat(UInt64)
        /// The server did not know the script of the announcement with this number: send its source. The queue already
        /// expects the reply.
        case sendAnnouncement(UInt64)
        /// The announcement with this number was answered.
        case announced(UInt64, AnnounceReply)
        /// The probe was answered. It went well if the reply arrived within the budget and is not an error.
        case probed(isWell: Bool)
        /// Likewise for a probe that is a write, which was sent at this time.
        case probedByWriting(isWell: Bool, sentAt: Instant)
        /// The scan was answered.
        case scanned(ScanReply)
        case close(Ending)
    }

    /// A further command that a first reply may require, once.
    enum FollowUp: Equatable {
        /// The server did not know the script: send its source.
        case evaluation
        /// The write was refused: read.
        case read
        /// The record has no lifetime: touch it.
        case touch
    }

    /// A command whose reply is pending.
    private enum Command {
        case create, createLifetime, script, evaluation, touch, fallbackRead, fallbackLifetime, read, readLifetime,
            probe, writingProbe
        case beat, beatEvaluation, publication, announcement, announcementEvaluation, scan
    }

    private struct PendingReply {
        let command: Command
        /// For a heartbeat, its sequence number; for an announcement, its number.
        let operation: UInt64
        let sent: Instant
    }

    private struct Waiting {
        let operation: StoreOperation
        let stamp: OperationStamp
        /// Nil once the result was delivered.
        var waiter: (any StoreWaiter)?
        /// The first of two replies, once a further command was needed after the second.
        var firstReply = FirstReply.refused
    }

    private enum FirstReply {
        case won
        case absent
        case record(Record)
        case foreign
        case refused
    }

    static let capacity = 10_000
    /// The maximum number of heartbeats, publications and announcements in flight.
    static let controlCommandsMax = 8

    private let budgetNanoseconds: Int64
    private let replyTimeoutNanoseconds: Int64
    private var pendingReplies = CircularBuffer<PendingReply>(initialCapacity: 64)
    /// In sending order. The first has the number `firstOperation`.
    private var waiting = CircularBuffer<Waiting>(initialCapacity: 64)
    private var firstOperation: UInt64 = 0
    /// How many of those that wait have had their result, and are behind one that has not.
    private var deliveredCount = 0
    /// The first of two replies whose second is the next.
    private var firstReply = FirstReply.refused
    private var controlCommands = 0
    private var isScanning = false

    /// - Parameters:
    ///   - budgetNanoseconds: how long an operation waits.
    ///   - replyTimeoutNanoseconds: how long a command may go unanswered before the connection counts as dead.
    init(budgetNanoseconds: Int64, replyTimeoutNanoseconds: Int64) {
        self.budgetNanoseconds = budgetNanoseconds
        self.replyTimeoutNanoseconds = replyTimeoutNanoseconds
    }

    /// Commands whose replies are pending.
    var depth: Int { pendingReplies.count }

    /// Queues an operation whose commands are to be sent now. False if the queue is full. It may have been asked
    /// earlier, on another loop.
    mutating func send(
        _ operation: StoreOperation, for waiter: any StoreWaiter, _ stamp: OperationStamp, now: Instant
    ) -> Bool {
        guard pendingReplies.count + 2 <= Self.capacity else { return false }
        let number = firstOperation &+ UInt64(waiting.count)
        waiting.append(Waiting(operation: operation, stamp: stamp, waiter: waiter))
        switch operation {
        case .create, .offer:
            expectReply(.create, number, now)
            expectReply(.createLifetime, number, now)
        case .restore, .rebind, .drop: expectReply(.script, number, now)
        case .touch: expectReply(.touch, number, now)
        case .read:
            expectReply(.read, number, now)
            expectReply(.readLifetime, number, now)
        }
        return true
    }

    /// Queues a probe that is to be sent now.
    mutating func probe(now: Instant) {
        expectReply(.probe, .max, now)
    }

    /// Queues a probe that is a write and is to be sent now.
    mutating func probeByWriting(now: Instant) {
        expectReply(.writingProbe, .max, now)
    }

    var takesControlCommand: Bool { controlCommands < Self.controlCommandsMax }

    /// Whether any operation waits for its result.
    var isAwaited: Bool { !waiting.isEmpty }

    /// Queues a heartbeat that is to be sent now. False if too many control commands are in flight.
    mutating func beat(_ sequence: UInt64, now: Instant) -> Bool {
        guard takesControlCommand else { return false }
        controlCommands += 1
        expectReply(.beat, sequence, now)
        return true
    }

    /// Queues a publication that is to be sent now. False if too many control commands are in flight.
    mutating func publication(now: Instant) -> Bool {
        guard takesControlCommand else { return false }
        controlCommands += 1
        expectReply(.publication, .max, now)
        return true
    }

    /// Queues an announcement that is to be sent now. False if too many control commands are in flight.
    mutating func announcement(_ number: UInt64, now: Instant) -> Bool {
        guard takesControlCommand else { return false }
        controlCommands += 1
        expectReply(.announcement, number, now)
        return true
    }

    /// Queues a scan that is to be sent now. False if one is in flight, or the queue is full.
    mutating func scan(now: Instant) -> Bool {
        guard !isScanning, pendingReplies.count + 2 <= Self.capacity else { return false }
        isScanning = true
        expectReply(.scan, .max, now)
        return true
    }

    /// Whether the next reply answers the scan.
    var nextAnswersScan: Bool { pendingReplies.first?.command == .scan }

    private mutating func expectReply(_ command: Command, _ operation: UInt64, _ now: Instant) {
        pendingReplies.append(PendingReply(command: command, operation: operation, sent: now))
    }

    // MARK: Replies

    mutating func received(_ reply: RedisReply, now: Instant) -> Action {
        guard let next = pendingReplies.popFirst() else { return .close(.surplusReply) }
        switch next.command {
        case .create, .fallbackRead, .read: return takeFirstReply(of: next, reply)
        case .createLifetime, .fallbackLifetime, .readLifetime: return takeSecondReply(of: next, reply, now)
        case .script, .evaluation: return scriptReply(to: next, reply, now)
        case .touch: return touchReply(to: next, reply, now)
        case .probe, .writingProbe:
            let spent = now.nanoseconds &- next.sent.nanoseconds
            let isWell = spent <= budgetNanoseconds && reply == .status
            return next.command == .probe
                ? .probed(isWell: isWell) : .probedByWriting(isWell: isWell, sentAt: next.sent)
        case .beat, .beatEvaluation, .publication: return controlReply(to: next, reply, now)
        case .announcement, .announcementEvaluation: return announcementReply(to: next, reply, now)
        case .scan: return scanReply(reply)
        }
    }

    private mutating func announcementReply(to next: PendingReply, _ reply: RedisReply, _ now: Instant) -> Action {
        controlCommands -= 1
        switch reply {
        case .none: return .announced(next.operation, .done)
        case .noScript where next.command == .announcement:
            controlCommands += 1
            expectReply(.announcementEvaluation, next.operation, now)
            return .sendAnnouncement(next.operation)
        case .refusal, .readOnly, .noScript, .wrongType: return .announced(next.operation, .refused)
        case .integer, .verdict, .record, .foreignText, .emptyText, .status, .page, .unexpected:
            return .close(.mistypedReply)
        }
    }

    private mutating func scanReply(_ reply: RedisReply) -> Action {
        isScanning = false
        switch reply {
        case .page(let page): return .scanned(.page(page))
        case .verdict, .unexpected: return .scanned(.malformed)
        case .refusal, .readOnly, .noScript, .wrongType: return .scanned(.refused)
        case .none, .integer, .record, .foreignText, .emptyText, .status: return .close(.mistypedReply)
        }
    }

    /// A refused control command is not retried. For a heartbeat, the lease is then not extended.
    private mutating func controlReply(to next: PendingReply, _ reply: RedisReply, _ now: Instant) -> Action {
        controlCommands -= 1
        switch (next.command, reply) {
        case (.beat, .noScript):
            controlCommands += 1
            expectReply(.beatEvaluation, next.operation, now)
            return .sendBeat(next.operation)
        case (_, .refusal), (_, .readOnly), (_, .noScript), (_, .wrongType): return .wait
        case (.publication, .integer), (.beat, .none), (.beatEvaluation, .none): return .wait
        default: return .close(.mistypedReply)
        }
    }

    private mutating func takeFirstReply(of next: PendingReply, _ reply: RedisReply) -> Action {
        switch reply {
        case .none: firstReply = Self.nothing(after: next.command)
        case .record(let record): firstReply = .record(record)
        case .emptyText where next.command == .read: firstReply = .absent
        case .foreignText, .emptyText, .wrongType: firstReply = .foreign
        case .refusal, .readOnly, .noScript: firstReply = .refused
        case .integer, .verdict, .status, .page, .unexpected: return .close(.mistypedReply)
        }
        return .wait
    }

    private static func nothing(after command: Command) -> FirstReply {
        switch command {
        case .create: .won
        case .read: .absent
        default: .refused
        }
    }

    private mutating func takeSecondReply(of next: PendingReply, _ reply: RedisReply, _ now: Instant) -> Action {
        let lifetimeMilliseconds: Int64?
        switch reply {
        case .integer(let milliseconds): lifetimeMilliseconds = milliseconds
        case .refusal, .readOnly, .noScript, .wrongType: lifetimeMilliseconds = nil
        case .none, .verdict, .record, .foreignText, .emptyText, .status, .page, .unexpected:
            return .close(.mistypedReply)
        }
        guard let place = place(of: next.operation) else { return .wait }
        let isCreate = next.command == .createLifetime
        let isRead = next.command == .fallbackLifetime
        switch firstReply {
        case .won: return result(next.operation, .written)
        case .absent: return result(next.operation, .absent)
        case .record(let record):
            guard let lifetimeMilliseconds else { return result(next.operation, .unavailable(.refused)) }
            if lifetimeMilliseconds == -1, isCreate {
                waiting[offset: place].firstReply = firstReply
                return followUp(.touch, .touch, next.operation, now)
            }
            let remainingMilliseconds = remainingMilliseconds(lifetimeMilliseconds, at: place)
            let found = isRead ? record.foundByReading(remainingMilliseconds) : record.found(remainingMilliseconds)
            return result(next.operation, found)
        case .foreign: return result(next.operation, isRead ? .unavailable(.refused) : .foreign)
        case .refused:
            guard isCreate else { return result(next.operation, .unavailable(.refused)) }
            return followUp(.read, .fallbackRead, next.operation, now)
        }
    }

    private mutating func scriptReply(to next: PendingReply, _ reply: RedisReply, _ now: Instant) -> Action {
        switch reply {
        case .verdict(record: 0, _, _):
            guard let place = place(of: next.operation) else { return .wait }
            if case .drop = waiting[offset: place].operation { return result(next.operation, .unavailable(.refused)) }
            return result(next.operation, .written)
        case .verdict(let binding, let lifetimeMilliseconds, let createdAtSeconds):
            guard let record = Record(binding: binding, createdAtSeconds: createdAtSeconds) else {
                return .close(.mistypedReply)
            }
            guard let place = place(of: next.operation) else { return .wait }
            return result(next.operation, record.found(remainingMilliseconds(lifetimeMilliseconds, at: place)))
        case .noScript where next.command == .script:
            return followUp(.evaluation, .evaluation, next.operation, now)
        case .noScript, .refusal, .readOnly, .wrongType:
            return followUp(.read, .fallbackRead, next.operation, now)
        case .none, .integer, .record, .foreignText, .emptyText, .status, .page, .unexpected:
            return .close(.mistypedReply)
        }
    }

    private mutating func touchReply(to next: PendingReply, _ reply: RedisReply, _ now: Instant) -> Action {
        switch reply {
        case .none: return result(next.operation, absence(for: next.operation))
        case .record(let record):
            guard let place = place(of: next.operation) else { return .wait }
            return result(next.operation, record.found(remainingMilliseconds(-1, at: place)))
        case .foreignText, .emptyText, .wrongType: return result(next.operation, .foreign)
        case .refusal, .readOnly, .noScript:
            return followUp(.read, .fallbackRead, next.operation, now)
        case .integer, .verdict, .status, .page, .unexpected: return .close(.mistypedReply)
        }
    }

    /// A create or an offer may find a record that expires before its lifetime can be set. Its result is then that
    /// record. A touch has no first reply.
    private func absence(for operation: UInt64) -> StoreResult {
        guard let place = place(of: operation), case .record(let record) = waiting[offset: place].firstReply else {
            return .absent
        }
        return record.found(0)
    }

    /// - Parameter lifetimeMilliseconds: as returned by PTTL. -1 means no lifetime, which the operation has just
    ///   changed or cannot change; -2 means that the record no longer exists.
    private func remainingMilliseconds(_ lifetimeMilliseconds: Int64, at place: Int) -> Int64 {
        let pending = waiting[offset: place].operation.lifetimeMilliseconds
        return lifetimeMilliseconds == -1 ? pending : max(0, min(pending, lifetimeMilliseconds))
    }

    private mutating func followUp(_ followUp: FollowUp, _ command: Command, _ operation: UInt64, _ now: Instant)
        -> Action
    {
        guard let place = place(of: operation) else { return .wait }
        guard pendingReplies.count + 2 <= Self.capacity else { return result(operation, .unavailable(.refused)) }
        expectReply(command, operation, now)
        if command == .fallbackRead { expectReply(.fallbackLifetime, operation, now) }
        return .send(followUp, waiting[offset: place].operation)
    }

    private mutating func result(_ number: UInt64, _ result: StoreResult) -> Action {
        guard let place = place(of: number), let pending = take(at: place) else { return .wait }
        return .result(pending, result)
    }

    /// Nil once the result was delivered.
    private func place(of number: UInt64) -> Int? {
        guard number >= firstOperation, number - firstOperation < UInt64(waiting.count) else { return nil }
        let place = Int(number - firstOperation)
        // The first one always waits for its result.
        return place > 0 && waiting[offset: place].waiter == nil ? nil : place
    }

    /// - Parameter place: of an operation that waits for its result.
    private mutating func take(at place: Int) -> PendingOperation? {
        let entry = place == 0 ? waiting.removeFirst() : waiting[offset: place]
        if place == 0 {
            firstOperation &+= 1
            removeDelivered()
        } else {
            waiting[offset: place].waiter = nil
            deliveredCount += 1
        }
        return entry.waiter.map { PendingOperation(operation: entry.operation, waiter: $0, stamp: entry.stamp) }
    }

    private mutating func removeDelivered() {
        while deliveredCount > 0, let first = waiting.first, first.waiter == nil {
            waiting.removeFirst()
            firstOperation &+= 1
            deliveredCount -= 1
        }
    }

    // MARK: Time

    /// When the oldest command without a reply was sent.
    var owedSince: Instant? { pendingReplies.first?.sent }

    /// When to check again whether something is late. Nil if nothing can be.
    var nextDeadline: Instant? {
        let late = waiting.first.map { $0.stamp.sentAt.nanoseconds &+ budgetNanoseconds }
        let dead = pendingReplies.first.map { $0.sent.nanoseconds &+ replyTimeoutNanoseconds }
        guard let dead else { return late.map(Instant.init(nanoseconds:)) }
        return Instant(nanoseconds: min(dead, late ?? dead))
    }

    /// Takes out the next operation whose budget is over.
    mutating func nextLate(now: Instant) -> PendingOperation? {
        guard let first = waiting.first, now.nanoseconds &- first.stamp.sentAt.nanoseconds >= budgetNanoseconds else {
            return nil
        }
        return take(at: 0)
    }

    /// Whether the oldest command has been unanswered for so long that the connection must be closed.
    func isDead(now: Instant) -> Bool {
        guard let first = pendingReplies.first else { return false }
        return now.nanoseconds &- first.sent.nanoseconds >= replyTimeoutNanoseconds
    }

    /// Takes out the next operation that will get no result because the connection is lost.
    mutating func nextLost() -> PendingOperation? {
        pendingReplies.removeAll()
        return waiting.isEmpty ? nil : take(at: 0)
    }
}

extension Record {
    fileprivate func found(_ remainingMilliseconds: Int64) -> StoreResult {
        .record(binding, remainingMilliseconds: remainingMilliseconds, createdAtSeconds: createdAtSeconds)
    }

    fileprivate func foundByReading(_ remainingMilliseconds: Int64) -> StoreResult {
        .readOnly(binding, remainingMilliseconds: remainingMilliseconds, createdAtSeconds: createdAtSeconds)
    }
}
