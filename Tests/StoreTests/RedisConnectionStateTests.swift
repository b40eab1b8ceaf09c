import Affinity
import Testing

@testable import Store

@Suite("The questions under way on a connection")
struct RedisConnectionStateTests {
    private final class Nobody: StoreWaiter {
        func storeAnswered(_ result: StoreResult, to operation: StoreOperation, stamp: OperationStamp) {}
    }

    private static let binding = Binding(backend: BackendHash(bits: 7), epoch: 4)
    private let create = StoreOperation.create(.test(1), BackendHash(bits: 9), lifetimeMilliseconds: 1000)
    private let restore = StoreOperation.restore(.test(2), binding, lifetimeMilliseconds: 1000)
    private let touch = StoreOperation.touch(.test(3), lifetimeMilliseconds: 1000)
    private let nobody = Nobody()

    private func at(_ milliseconds: Int64) -> Instant { Instant(nanoseconds: milliseconds * 1_000_000) }

    private func stamp(_ milliseconds: Int64) -> OperationStamp { OperationStamp(sentAt: at(milliseconds)) }

    private func state() -> RedisConnectionState {
        RedisConnectionState(budgetNanoseconds: 20_000_000, replyTimeoutNanoseconds: 500_000_000)
    }

    /// Asks one question and hands in replies; the last action, as text.
    private func outcome(_ operation: StoreOperation, _ replies: RedisReply...) -> String {
        var state = state()
        _ = state.send(operation, for: nobody, stamp(0))
        var last = ""
        for reply in replies { last = state.received(reply, now: at(1)).text }
        return last
    }

    private static let refused = "answer unavailable(Affinity.StoreFailure.refused)"

    @Test("A create is answered by its two replies together")
    func creates() {
        let record = RedisReply.record(Record(Self.binding))
        #expect(outcome(create, .none) == "wait")
        #expect(outcome(create, .none, .integer(1000)) == "answer written")
        #expect(outcome(create, .none, .refusal) == "answer written")
        #expect(outcome(create, record, .integer(600)) == "answer record 7/4 600")
        #expect(outcome(create, record, .integer(5000)) == "answer record 7/4 1000")
        #expect(outcome(create, record, .integer(-2)) == "answer record 7/4 0")
        #expect(outcome(create, record, .refusal) == Self.refused)
        #expect(outcome(create, .foreignText, .integer(-1)) == "answer foreign")
        #expect(outcome(create, .wrongType, .integer(-1)) == "answer foreign")
    }

    @Test("An offer is answered as a create")
    func offers() {
        let offer = StoreOperation.offer(.test(1), Binding(backend: .tombstone, epoch: 3), lifetimeMilliseconds: 1000)
        let record = RedisReply.record(Record(Self.binding))
        #expect(outcome(offer, .none, .integer(1000)) == "answer written")
        #expect(outcome(offer, record, .integer(600)) == "answer record 7/4 600")
        #expect(outcome(offer, record, .integer(-1)) == "send touch")
        #expect(outcome(offer, record, .integer(-1), .none) == "answer record 7/4 0")
        #expect(outcome(offer, .refusal, .refusal, record, .integer(300)) == "answer read 7/4 300")
        #expect(outcome(offer, .foreignText, .integer(-1)) == "answer foreign")
    }

    @Test("A record without a lifetime is given one")
    func mending() {
        let record = RedisReply.record(Record(Self.binding))
        #expect(outcome(create, record, .integer(-1)) == "send touch")
        #expect(outcome(create, record, .integer(-1), record) == "answer record 7/4 1000")
        #expect(outcome(create, record, .integer(-1), .none) == "answer record 7/4 0")
        #expect(outcome(create, record, .integer(-1), .refusal) == "send read")
    }

    @Test("A refused write is followed by one read, and what is found is the answer")
    func refusals() {
        let record = RedisReply.record(Record(Self.binding))
        #expect(outcome(create, .refusal, .integer(-2)) == "send read")
        #expect(outcome(create, .refusal, .refusal, record, .integer(300)) == "answer read 7/4 300")
        #expect(outcome(create, .refusal, .refusal, record, .integer(-1)) == "answer read 7/4 1000")
        #expect(outcome(create, .refusal, .integer(-2), .none, .integer(-2)) == Self.refused)
        #expect(outcome(create, .refusal, .integer(-2), .refusal, .refusal) == Self.refused)
        #expect(outcome(restore, .refusal) == "send read")
        #expect(outcome(restore, .refusal, record, .integer(300)) == "answer read 7/4 300")
        #expect(outcome(restore, .refusal, .foreignText, .integer(300)) == Self.refused)
        #expect(outcome(touch, .refusal) == "send read")
        #expect(outcome(touch, .refusal, .none, .integer(-2)) == Self.refused)
    }

    @Test("A script that is not known is run from its source, once")
    func unknownScripts() {
        #expect(outcome(restore, .noScript) == "send evaluation")
        #expect(
            outcome(restore, .noScript, .verdict(record: 0, lifetimeMilliseconds: 0, createdAtSeconds: 0))
                == "answer written")
        #expect(outcome(restore, .noScript, .noScript) == "send read")
    }

    @Test("A script says that it wrote, or what it found")
    func scripts() {
        #expect(outcome(restore, .verdict(record: 0, lifetimeMilliseconds: 0, createdAtSeconds: 0)) == "answer written")
        #expect(
            outcome(
                restore, .verdict(record: Int64(Self.binding.record), lifetimeMilliseconds: 77, createdAtSeconds: 0))
                == "answer record 7/4 77")
        #expect(
            outcome(restore, .verdict(record: 1 << 53, lifetimeMilliseconds: 77, createdAtSeconds: 0))
                == "close mistypedReply")
        #expect(
            outcome(restore, .verdict(record: -1, lifetimeMilliseconds: 77, createdAtSeconds: 0))
                == "close mistypedReply")
    }

    @Test("A drop says which tombstone it wrote, or that there is no epoch left for one")
    func drops() {
        let drop = StoreOperation.drop(.test(4), above: 3, lifetimeMilliseconds: 1000)
        #expect(
            outcome(drop, .verdict(record: 5, lifetimeMilliseconds: 5000, createdAtSeconds: 0))
                == "answer record 0/5 1000")
        #expect(outcome(drop, .verdict(record: 0, lifetimeMilliseconds: 0, createdAtSeconds: 0)) == Self.refused)
        #expect(outcome(drop, .noScript) == "send evaluation")
        #expect(outcome(drop, .refusal) == "send read")
        #expect(outcome(drop, .refusal, .record(Record(Self.binding)), .integer(9)) == "answer read 7/4 9")
    }

    @Test("When a session began is part of the answer")
    func createdAtSeconds() {
        let record = RedisReply.record(Record(Self.binding, createdAtSeconds: 1_700_000_000))
        let integer = Int64(Self.binding.record)
        let found = "answer record 7/4 600 born 1700000000"
        #expect(outcome(create, record, .integer(600)) == found)
        #expect(outcome(touch, record) == "answer record 7/4 1000 born 1700000000")
        #expect(
            outcome(restore, .verdict(record: integer, lifetimeMilliseconds: 600, createdAtSeconds: 1_700_000_000))
                == found)
        #expect(outcome(restore, .refusal, record, .integer(9)) == "answer read 7/4 9 born 1700000000")
        #expect(
            outcome(restore, .verdict(record: integer, lifetimeMilliseconds: 9, createdAtSeconds: -1))
                == "close mistypedReply")
        #expect(
            outcome(restore, .verdict(record: integer, lifetimeMilliseconds: 9, createdAtSeconds: 1 << 32))
                == "close mistypedReply"
        )
    }

    @Test("A touch says what is there")
    func touches() {
        #expect(outcome(touch, .none) == "answer absent")
        #expect(outcome(touch, .record(Record(Self.binding))) == "answer record 7/4 1000")
        #expect(outcome(touch, .foreignText) == "answer foreign")
        #expect(outcome(touch, .wrongType) == "answer foreign")
    }

    @Test("A look is answered by its two replies together, and never followed by another command")
    func looks() {
        let look = StoreOperation.read(.test(5))
        let record = RedisReply.record(Record(Self.binding, createdAtSeconds: 1_700_000_000))
        #expect(outcome(look, record) == "wait")
        #expect(outcome(look, record, .integer(600)) == "answer record 7/4 600 born 1700000000")
        #expect(outcome(look, record, .integer(-2)) == "answer record 7/4 0 born 1700000000")
        #expect(outcome(look, record, .integer(-1)) == "answer record 7/4 \(Int64.max) born 1700000000")
        #expect(outcome(look, .none, .integer(-2)) == "answer absent")
        #expect(outcome(look, .none, .integer(600)) == "answer absent")
        #expect(outcome(look, .foreignText, .integer(600)) == "answer foreign")
        #expect(outcome(look, .wrongType, .integer(-1)) == "answer foreign")
        #expect(outcome(look, .refusal, .integer(600)) == Self.refused)
        #expect(outcome(look, record, .refusal) == Self.refused)
        #expect(outcome(look, .integer(3)) == "close mistypedReply")
        #expect(outcome(look, record, .none) == "close mistypedReply")
    }

    @Test(
        "A reply that does not fit the command closes",
        arguments: [
            RedisReply.status, .unexpected, .verdict(record: 1, lifetimeMilliseconds: 1, createdAtSeconds: 0),
            .integer(3),
        ])
    func mistyped(_ reply: RedisReply) {
        #expect(outcome(create, reply) == "close mistypedReply")
        #expect(outcome(touch, reply) == "close mistypedReply")
    }

    @Test("A second reply of the wrong kind closes, also when nobody waits for it any more")
    func mistypedSecond() {
        #expect(outcome(create, .none, .none) == "close mistypedReply")
        #expect(outcome(restore, .none) == "close mistypedReply")
        #expect(outcome(restore, .integer(1)) == "close mistypedReply")
        var state = state()
        _ = state.send(touch, for: nobody, stamp(0))
        _ = state.nextLate(now: at(20))
        #expect(state.received(.integer(1), now: at(21)).text == "close mistypedReply")
    }

    @Test("A reply to nothing closes")
    func surplus() {
        #expect(outcome(touch, .none, .none) == "close surplusReply")
    }

    @Test("A question is late at its budget, in the order of asking, and its place in the queue stays")
    func lateness() {
        var state = state()
        _ = state.send(touch, for: nobody, stamp(0))
        _ = state.send(create, for: nobody, stamp(5))
        #expect(state.nextDeadline == at(20))
        #expect(state.nextLate(now: at(19)) == nil)
        #expect(state.nextLate(now: at(20))?.operation == touch)
        #expect(state.nextLate(now: at(20)) == nil)
        #expect(state.nextDeadline == at(25))
        #expect(state.depth == 3)
        // The reply to the late one is nobody's, and the next one's is its own.
        #expect(state.received(.record(Record(Self.binding)), now: at(21)).text == "wait")
        #expect(state.received(.none, now: at(22)).text == "wait")
        #expect(state.received(.integer(1000), now: at(22)).text == "answer written")
        #expect(state.nextDeadline == nil)
    }

    @Test("An operation of another loop has its budget since it was asked, and its commands since they were sent")
    func forwarded() {
        var state = state()
        let isSent = state.send(touch, for: nobody, stamp(0), now: at(15))
        #expect(isSent && state.owedSince == at(15) && state.nextDeadline == at(20))
        #expect(state.nextLate(now: at(20))?.operation == touch)
        #expect(state.nextDeadline == at(515) && !state.isDead(now: at(514)) && state.isDead(now: at(515)))
    }

    @Test("What is sent for a question's sake changes nothing about when it is late")
    func lateFollowUp() {
        var state = state()
        _ = state.send(restore, for: nobody, stamp(0))
        _ = state.send(touch, for: nobody, stamp(10))
        #expect(state.received(.noScript, now: at(15)).text == "send evaluation")
        #expect(state.nextDeadline == at(20))
        #expect(state.nextLate(now: at(20))?.operation == restore)
        #expect(state.received(.none, now: at(21)).text == "answer absent")
        #expect(
            state.received(.verdict(record: 0, lifetimeMilliseconds: 0, createdAtSeconds: 0), now: at(22)).text
                == "wait")
        // A late question is not worth another command.
        _ = state.send(restore, for: nobody, stamp(100))
        _ = state.nextLate(now: at(120))
        #expect(state.received(.noScript, now: at(121)).text == "wait")
        #expect(state.depth == 0)
    }

    @Test("A command unanswered for half a second is the connection's end")
    func replyTimeoutNanoseconds() {
        var state = state()
        _ = state.send(touch, for: nobody, stamp(0))
        _ = state.nextLate(now: at(20))
        #expect(state.nextDeadline == at(500))
        #expect(!state.isDead(now: at(499)))
        #expect(state.isDead(now: at(500)))
        _ = state.received(.none, now: at(501))
        #expect(!state.isDead(now: at(900)))
    }

    @Test("Whoever waits when the connection is lost is told, once")
    func loss() {
        var state = state()
        for operation in [touch, create, restore] { _ = state.send(operation, for: nobody, stamp(0)) }
        _ = state.received(.none, now: at(1))
        #expect(state.nextLost()?.operation == create)
        #expect(state.nextLost()?.operation == restore)
        #expect(state.nextLost() == nil)
        #expect(state.nextLate(now: at(50)) == nil)
    }

    @Test("The queue takes ten thousand commands and no more")
    func capacity() {
        var state = state()
        var taken = 0
        while state.send(create, for: nobody, stamp(0)) { taken += 1 }
        #expect(taken == 5000)
        #expect(state.depth == RedisConnectionState.capacity)
    }

    @Test("A probe is well if it is answered in the budget and not with an error")
    func probes() {
        for (reply, time, isWell) in [(RedisReply.status, 20, true), (.status, 21, false), (.refusal, 1, false)] {
            var state = state()
            state.probe(now: at(0))
            #expect(state.received(reply, now: at(Int64(time))).text == "probed \(isWell)")
            #expect(state.owedSince == nil)
            state.probeByWriting(now: at(0))
            state.probe(now: at(1))
            #expect(state.owedSince == at(0))
            #expect(state.received(reply, now: at(Int64(time))).text == "probed \(isWell) by writing at 0")
            #expect(state.owedSince == at(1))
        }
    }

    @Test("One scan is in flight at most, keeps its place among the questions, and its reply is its own")
    func scans() {
        let page = ScanPage(next: 5, fingerprints: [.test(1)], strangers: 2)
        var questions = state()
        _ = questions.send(touch, for: nobody, stamp(0))
        let areSent = [questions.scan(now: at(0)), questions.scan(now: at(0))]
        #expect(areSent == [true, false])
        #expect(!questions.nextAnswersScan)
        #expect(questions.received(.none, now: at(1)).text == "answer absent")
        #expect(questions.nextAnswersScan)
        // However late it is.
        #expect(questions.received(.page(page), now: at(400)).text == "scanned \(ScanReply.page(page))")
        let isSent = questions.scan(now: at(400))
        #expect(isSent)
        #expect(outcome(create, .page(page)) == "close mistypedReply")
        #expect(outcome(touch, .page(page)) == "close mistypedReply")
        #expect(outcome(create, .none, .page(page)) == "close mistypedReply")
        #expect(outcome(restore, .page(page)) == "close mistypedReply")
    }

    @Test(
        "An array that is no page is malformed, an error refuses the scan, and what is neither closes",
        arguments: [
            (RedisReply.unexpected, "scanned malformed"),
            (.verdict(record: 1, lifetimeMilliseconds: 1, createdAtSeconds: 1), "scanned malformed"),
            (.refusal, "scanned refused"), (.readOnly, "scanned refused"), (.noScript, "scanned refused"),
            (.wrongType, "scanned refused"), (.none, "close mistypedReply"), (.integer(1), "close mistypedReply"),
            (.status, "close mistypedReply"), (.foreignText, "close mistypedReply"),
        ])
    func scanReplies(_ reply: RedisReply, _ action: String) {
        var state = state()
        _ = state.scan(now: at(0))
        #expect(state.received(reply, now: at(1)).text == action)
    }

    @Test("A heartbeat's reply is nobody's, and a script that is not known is sent whole")
    func heartbeats() {
        func outcome(_ replies: RedisReply...) -> String {
            var state = state()
            _ = state.beat(7, now: at(0))
            var last = ""
            for reply in replies { last = state.received(reply, now: at(1)).text }
            return last
        }
        #expect(outcome(.none) == "wait")
        #expect(outcome(.noScript) == "send beat 7")
        #expect(outcome(.noScript, .none) == "wait")
        #expect(outcome(.noScript, .noScript) == "wait")
        for refusal in [RedisReply.refusal, .readOnly, .wrongType] { #expect(outcome(refusal) == "wait") }
        for unexpected in [RedisReply.status, .integer(1), .unexpected] {
            #expect(outcome(unexpected) == "close mistypedReply")
        }
    }

    @Test("An announcement's reply is its own, and a script that is not known is sent whole, once")
    func announcements() {
        func outcome(_ replies: RedisReply...) -> String {
            var state = state()
            _ = state.announcement(7, now: at(0))
            var last = ""
            for reply in replies { last = state.received(reply, now: at(1)).text }
            return last
        }
        #expect(outcome(.none) == "announced 7 done")
        #expect(outcome(.noScript) == "send announcement 7")
        #expect(outcome(.noScript, .none) == "announced 7 done")
        #expect(outcome(.noScript, .noScript) == "announced 7 refused")
        for refusal in [RedisReply.refusal, .readOnly, .wrongType] {
            #expect(outcome(refusal) == "announced 7 refused")
        }
        for unexpected in [RedisReply.status, .integer(1), .unexpected] {
            #expect(outcome(unexpected) == "close mistypedReply")
        }
        var full = state()
        for number in 0..<UInt64(RedisConnectionState.controlCommandsMax) {
            let isTaken = full.announcement(number, now: at(0))
            #expect(isTaken)
        }
        let isOverfull = full.announcement(99, now: at(0)) || full.beat(99, now: at(0))
        #expect(!isOverfull)
        // A script that is sent whole keeps its place among the control commands.
        _ = full.received(.noScript, now: at(1))
        #expect(!full.takesControlCommand)
        _ = full.received(.none, now: at(1))
        #expect(full.takesControlCommand)
    }

    @Test("Heartbeats and publications under way are few, and keep their place among the questions")
    func errands() {
        var state = state()
        for number in 0..<UInt64(RedisConnectionState.controlCommandsMax) {
            let isTaken = number % 2 == 0 ? state.beat(number, now: at(0)) : state.publication(now: at(0))
            #expect(isTaken)
        }
        #expect(!state.takesControlCommand)
        let isOverfull = state.beat(99, now: at(0)) || state.publication(now: at(0))
        #expect(!isOverfull)
        _ = state.send(touch, for: nobody, stamp(1))
        for number in 0..<RedisConnectionState.controlCommandsMax {
            let reply = number % 2 == 0 ? RedisReply.none : .integer(3)
            #expect(state.received(reply, now: at(2)).text == "wait")
        }
        #expect(state.takesControlCommand)
        #expect(state.received(.none, now: at(2)).text == "answer absent")
        _ = state.publication(now: at(3))
        #expect(state.received(.none, now: at(4)).text == "close mistypedReply")
    }

    @Test("Whatever comes in whatever order, each waiter is told exactly once")
    func anything() {
        var random = SplitMix(seed: 3)
        let replies: [RedisReply] = [
            .none, .integer(500), .verdict(record: 0, lifetimeMilliseconds: 0, createdAtSeconds: 0),
            .record(Record(Self.binding)),
            .foreignText, .wrongType, .noScript, .refusal,
        ]
        for _ in 0..<2000 {
            var state = state()
            var (asked, told, time) = (0, 0, Int64(0))
            var isOpen = true
            while isOpen, asked < 30 {
                time += Int64(random.next() % 4)
                if random.next() % 2 == 0 {
                    let operation = [create, restore, touch][Int(random.next() % 3)]
                    asked += state.send(operation, for: nobody, stamp(time)) ? 1 : 0
                } else if state.depth > 0 {
                    switch state.received(replies[Int(random.next() % 8)], now: at(time)) {
                    case .result: told += 1
                    case .close: isOpen = false
                    case .wait, .send, .sendBeat, .sendAnnouncement, .announced, .probed, .probedByWriting, .scanned:
                        break
                    }
                }
                while state.nextLate(now: at(time)) != nil { told += 1 }
            }
            while state.nextLost() != nil { told += 1 }
            #expect(told == asked)
        }
    }
}

extension RedisConnectionState.Action {
    fileprivate var text: String {
        switch self {
        case .wait: "wait"
        case .result(_, .record(let record)): "answer record \(record.text)"
        case .result(_, .readOnly(let record)): "answer read \(record.text)"
        case .result(_, let result): "answer \(result)"
        case .send(let followUp, _): "send \(followUp)"
        case .sendBeat(let sequence): "send beat \(sequence)"
        case .sendAnnouncement(let number): "send announcement \(number)"
        case .announced(let number, let reply): "announced \(number) \(reply)"
        case .probed(let isWell): "probed \(isWell)"
        case .scanned(let reply): "scanned \(reply)"
        case .probedByWriting(let isWell, let sentAt):
            "probed \(isWell) by writing at \(sentAt.nanoseconds / 1_000_000)"
        case .close(let ending): "close \(ending)"
        }
    }
}

extension StoredRecord {
    fileprivate var text: String {
        "\(binding.backend.bits)/\(binding.epoch) \(remainingMilliseconds)"
            + (createdAtSeconds.map { " born \($0)" } ?? "")
    }
}

extension RedisConnectionState {
    /// Asked on the loop of the connection, and sent at once.
    fileprivate mutating func send(
        _ operation: StoreOperation, for waiter: any StoreWaiter, _ stamp: OperationStamp
    ) -> Bool {
        send(operation, for: waiter, stamp, now: stamp.sentAt)
    }
}
