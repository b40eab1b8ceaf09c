import Affinity
import NIOCore

/// The questions and commands under way on one connection, in order. Events in, actions out.
///
/// A question waits until it is answered or its budget is over, whichever is first; the replies to its commands keep
/// their place in the queue all the same, since RESP has no other way to tell which command a reply is to.
struct RedisConnectionState {
    /// A question with the one who waits.
    struct Asked {
        let question: StoreQuestion
        let waiter: any StoreWaiter
        let asking: Asking
    }

    enum Ending: Equatable {
        case surplusReply
        case mistypedReply
    }

    enum Action {
        case wait
        case answer(Asked, StoreAnswer)
        /// Send this for the question's sake; the queue counts on it already.
        case send(FollowUp, StoreQuestion)
        /// The script of this heartbeat was not known: send it from its source. The queue counts on it already.
        case sendBeat(UInt64)
        /// The probe was answered; well is in the budget and not with an error.
        case probed(isWell: Bool)
        case close(Ending)
    }

    /// What a first reply may call for, once.
    enum FollowUp: Equatable {
        /// The script was not known: run it from its source.
        case evaluation
        /// The write was refused: read.
        case read
        /// The record has no lifetime: touch it.
        case touch
    }

    /// A command whose reply is owed.
    private enum Command {
        case create, createLifetime, script, evaluation, touch, read, readLifetime, look, lookLifetime, probe
        case beat, beatEvaluation, publication
    }

    private struct Owed {
        let command: Command
        /// Of a heartbeat, its sequence number.
        let question: UInt64
        let sent: Instant
    }

    private struct Waiting {
        let question: StoreQuestion
        let asking: Asking
        /// Nil once told.
        var waiter: (any StoreWaiter)?
        /// The first of two replies.
        var half = Half.refused
    }

    private enum Half {
        case won
        case absent
        case record(Record)
        case foreign
        case refused
    }

    static let capacity = 10_000
    /// Heartbeats and publications under way.
    static let errandsMax = 8

    private let budget: Int64
    private let patience: Int64
    private var owed = CircularBuffer<Owed>(initialCapacity: 64)
    /// In the order of asking; the first has the number `firstQuestion`.
    private var waiting = CircularBuffer<Waiting>(initialCapacity: 64)
    private var firstQuestion: UInt64 = 0
    private var errands = 0

    /// - Parameters:
    ///   - budget: nanoseconds that a question waits.
    ///   - patience: nanoseconds that a command may go unanswered before the connection counts as dead.
    init(budget: Int64, patience: Int64) {
        self.budget = budget
        self.patience = patience
    }

    /// Commands whose replies are owed.
    var depth: Int { owed.count }

    /// Takes a question in, whose commands are to be sent now. False when the queue is full.
    mutating func ask(_ question: StoreQuestion, for waiter: any StoreWaiter, _ asking: Asking) -> Bool {
        guard owed.count + 2 <= Self.capacity else { return false }
        let number = firstQuestion &+ UInt64(waiting.count)
        waiting.append(Waiting(question: question, asking: asking, waiter: waiter))
        let now = asking.at
        switch question {
        case .create:
            owe(.create, number, now)
            owe(.createLifetime, number, now)
        case .restore, .rebind, .drop: owe(.script, number, now)
        case .touch: owe(.touch, number, now)
        case .look:
            owe(.look, number, now)
            owe(.lookLifetime, number, now)
        }
        return true
    }

    /// Takes a probe in, which is to be sent now.
    mutating func probe(now: Instant) {
        owe(.probe, .max, now)
    }

    var takesErrand: Bool { errands < Self.errandsMax }

    /// Whether anybody waits to be told.
    var isAwaited: Bool { !waiting.isEmpty }

    /// Takes a heartbeat in, which is to be sent now. False when too much is under way.
    mutating func beat(_ sequence: UInt64, now: Instant) -> Bool {
        guard takesErrand else { return false }
        errands += 1
        owe(.beat, sequence, now)
        return true
    }

    /// Takes a publication in, which is to be sent now. False when too much is under way.
    mutating func publication(now: Instant) -> Bool {
        guard takesErrand else { return false }
        errands += 1
        owe(.publication, .max, now)
        return true
    }

    private mutating func owe(_ command: Command, _ question: UInt64, _ now: Instant) {
        owed.append(Owed(command: command, question: question, sent: now))
    }

    // MARK: Replies

    mutating func received(_ reply: RedisReply, now: Instant) -> Action {
        guard let next = owed.popFirst() else { return .close(.surplusReply) }
        switch next.command {
        case .create, .read, .look: return firstHalf(of: next, reply)
        case .createLifetime, .readLifetime, .lookLifetime: return secondHalf(of: next, reply, now)
        case .script, .evaluation: return scriptReply(to: next, reply, now)
        case .touch: return touchReply(to: next, reply, now)
        case .probe:
            let spent = now.nanoseconds &- next.sent.nanoseconds
            return .probed(isWell: spent <= budget && reply == .status)
        case .beat, .beatEvaluation, .publication: return errandReply(to: next, reply, now)
        }
    }

    /// One that is refused is left away: the lease is not extended, and that is all.
    private mutating func errandReply(to next: Owed, _ reply: RedisReply, _ now: Instant) -> Action {
        errands -= 1
        switch (next.command, reply) {
        case (.beat, .noScript):
            errands += 1
            owe(.beatEvaluation, next.question, now)
            return .sendBeat(next.question)
        case (_, .refusal), (_, .readOnly), (_, .noScript), (_, .wrongType): return .wait
        case (.publication, .integer), (.beat, .none), (.beatEvaluation, .none): return .wait
        default: return .close(.mistypedReply)
        }
    }

    private mutating func firstHalf(of next: Owed, _ reply: RedisReply) -> Action {
        let half: Half
        switch reply {
        case .none: half = Self.nothing(after: next.command)
        case .record(let record): half = .record(record)
        case .foreignText, .wrongType: half = .foreign
        case .refusal, .readOnly, .noScript: half = .refused
        case .integer, .verdict, .status, .alien: return .close(.mistypedReply)
        }
        if let place = place(of: next.question) { waiting[offset: place].half = half }
        return .wait
    }

    private static func nothing(after command: Command) -> Half {
        switch command {
        case .create: .won
        case .look: .absent
        default: .refused
        }
    }

    private mutating func secondHalf(of next: Owed, _ reply: RedisReply, _ now: Instant) -> Action {
        let lifetime: Int64?
        switch reply {
        case .integer(let milliseconds): lifetime = milliseconds
        case .refusal, .readOnly, .noScript, .wrongType: lifetime = nil
        case .none, .verdict, .record, .foreignText, .status, .alien: return .close(.mistypedReply)
        }
        guard let place = place(of: next.question) else { return .wait }
        let isCreate = next.command == .createLifetime
        let isRead = next.command == .readLifetime
        switch waiting[offset: place].half {
        case .won: return answer(next.question, .written)
        case .absent: return answer(next.question, .absent)
        case .record(let record):
            guard let lifetime else { return answer(next.question, .unavailable(.refused)) }
            if lifetime == -1, isCreate { return followUp(.touch, .touch, next.question, now) }
            let remaining = remaining(lifetime, at: place)
            let found = isRead ? record.foundByReading(remaining) : record.found(remaining)
            return answer(next.question, found)
        case .foreign: return answer(next.question, isRead ? .unavailable(.refused) : .foreign)
        case .refused:
            guard isCreate else { return answer(next.question, .unavailable(.refused)) }
            return followUp(.read, .read, next.question, now)
        }
    }

    private mutating func scriptReply(to next: Owed, _ reply: RedisReply, _ now: Instant) -> Action {
        switch reply {
        case .verdict(record: 0, _, _):
            guard let place = place(of: next.question) else { return .wait }
            if case .drop = waiting[offset: place].question { return answer(next.question, .unavailable(.refused)) }
            return answer(next.question, .written)
        case .verdict(let binding, let lifetime, let born):
            guard let record = Record(binding: binding, born: born) else { return .close(.mistypedReply) }
            guard let place = place(of: next.question) else { return .wait }
            return answer(next.question, record.found(remaining(lifetime, at: place)))
        case .noScript where next.command == .script:
            return followUp(.evaluation, .evaluation, next.question, now)
        case .noScript, .refusal, .readOnly, .wrongType:
            return followUp(.read, .read, next.question, now)
        case .none, .integer, .record, .foreignText, .status, .alien: return .close(.mistypedReply)
        }
    }

    private mutating func touchReply(to next: Owed, _ reply: RedisReply, _ now: Instant) -> Action {
        switch reply {
        case .none: return answer(next.question, absence(for: next.question))
        case .record(let record):
            guard let place = place(of: next.question) else { return .wait }
            return answer(next.question, record.found(remaining(-1, at: place)))
        case .foreignText, .wrongType: return answer(next.question, .foreign)
        case .refusal, .readOnly, .noScript:
            return followUp(.read, .read, next.question, now)
        case .integer, .verdict, .status, .alien: return .close(.mistypedReply)
        }
    }

    /// A create that found a record which was gone when it was to be given a lifetime is told of the record.
    private func absence(for question: UInt64) -> StoreAnswer {
        guard let place = place(of: question), case .create = waiting[offset: place].question,
            case .record(let record) = waiting[offset: place].half
        else { return .absent }
        return record.found(0)
    }

    /// - Parameter lifetime: as PTTL says it: -1 is none, which the question has just changed or cannot change, and
    ///   -2 that the record is gone by now.
    private func remaining(_ lifetime: Int64, at place: Int) -> Int64 {
        let asked = waiting[offset: place].question.lifetime
        return lifetime == -1 ? asked : max(0, min(asked, lifetime))
    }

    private mutating func followUp(_ followUp: FollowUp, _ command: Command, _ question: UInt64, _ now: Instant)
        -> Action
    {
        guard let place = place(of: question) else { return .wait }
        guard owed.count + 2 <= Self.capacity else { return answer(question, .unavailable(.refused)) }
        owe(command, question, now)
        if command == .read { owe(.readLifetime, question, now) }
        return .send(followUp, waiting[offset: place].question)
    }

    private mutating func answer(_ number: UInt64, _ answer: StoreAnswer) -> Action {
        guard let place = place(of: number), let asked = take(at: place) else { return .wait }
        return .answer(asked, answer)
    }

    /// Nil once the question has been told.
    private func place(of number: UInt64) -> Int? {
        guard number >= firstQuestion, number - firstQuestion < UInt64(waiting.count) else { return nil }
        let place = Int(number - firstQuestion)
        return waiting[offset: place].waiter == nil ? nil : place
    }

    private mutating func take(at place: Int) -> Asked? {
        let entry = waiting[offset: place]
        guard let waiter = entry.waiter else { return nil }
        waiting[offset: place].waiter = nil
        while let first = waiting.first, first.waiter == nil {
            waiting.removeFirst()
            firstQuestion &+= 1
        }
        return Asked(question: entry.question, waiter: waiter, asking: entry.asking)
    }

    // MARK: Time

    /// When to look again whether something is late, or nil if nothing can be.
    var nextDeadline: Instant? {
        let late = waiting.first.map { $0.asking.at.nanoseconds &+ budget }
        let dead = owed.first.map { $0.sent.nanoseconds &+ patience }
        guard let dead else { return late.map(Instant.init(nanoseconds:)) }
        return Instant(nanoseconds: min(dead, late ?? dead))
    }

    /// Takes out the next question whose budget is over.
    mutating func nextLate(now: Instant) -> Asked? {
        guard let first = waiting.first, now.nanoseconds &- first.asking.at.nanoseconds >= budget else { return nil }
        return take(at: 0)
    }

    /// Whether the oldest command is unanswered for so long that the connection is to be closed.
    func isDead(now: Instant) -> Bool {
        guard let first = owed.first else { return false }
        return now.nanoseconds &- first.sent.nanoseconds >= patience
    }

    /// Takes out the next question whose answer will not come, the connection being lost.
    mutating func nextLost() -> Asked? {
        owed.removeAll()
        return waiting.isEmpty ? nil : take(at: 0)
    }
}

extension Record {
    fileprivate func found(_ remaining: Int64) -> StoreAnswer {
        .record(binding, remaining: remaining, born: born)
    }

    fileprivate func foundByReading(_ remaining: Int64) -> StoreAnswer {
        .readOnly(binding, remaining: remaining, born: born)
    }
}
