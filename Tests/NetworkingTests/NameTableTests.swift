import NIOCore
import Networking
import Testing

@Suite("What is known of host names")
struct NameTableTests {
    private typealias Action = NameTable.Action

    private var table = NameTable()

    private static func at(_ milliseconds: Int64) -> NIODeadline {
        .uptimeNanoseconds(1 << 50) + .milliseconds(milliseconds)
    }

    private static func found(_ last: Int) -> NameTable.Answer {
        Result { [try SocketAddress(ipAddress: "192.0.2.\(last)", port: 0)] }.mapError { _ in .noAddress }
    }

    private static let down = NameTable.Answer.failure(.lookupFailed("no answer"))
    private static let absent = NameTable.Answer.failure(.noAddress)

    /// Makes a name known.
    private mutating func learn(_ name: String, _ answer: NameTable.Answer, at time: Int64) {
        let waiter = NameTable.Waiter(1_000_000 + time)
        #expect(table.lookUp(name, for: waiter, now: Self.at(time)) == [.lookUp(name)])
        #expect(table.finished(name, answer, now: Self.at(time)) == [.answer(waiter, answer)])
    }

    @Test("all who ask for a name meanwhile share one look-up, and its answer")
    mutating func shared() {
        #expect(table.lookUp("a", for: 1, now: Self.at(0)) == [.lookUp("a")])
        #expect(table.lookUp("a", for: 2, now: Self.at(10)) == [])
        #expect(table.lookUp("b", for: 3, now: Self.at(10)) == [.lookUp("b")])
        let answer = Self.found(1)
        #expect(table.finished("a", answer, now: Self.at(20)) == [.answer(1, answer), .answer(2, answer)])
        #expect(table.finished("a", answer, now: Self.at(21)) == [], "it is not looked up")
    }

    @Test("an answer serves for a second, an error too", arguments: [found(1), absent, down])
    mutating func fresh(_ answer: NameTable.Answer) {
        learn("a", answer, at: 0)
        #expect(table.lookUp("a", for: 1, now: Self.at(999)) == [.answer(1, answer)])
        let actions = table.lookUp("a", for: 2, now: Self.at(1000))
        #expect(actions.last == .lookUp("a"))
    }

    @Test("while a new answer is sought the old one is waited past for 200 ms, and used at once by who asks after that")
    mutating func patience() {
        let (old, new) = (Self.found(1), Self.found(2))
        learn("a", old, at: 0)
        #expect(table.lookUp("a", for: 1, now: Self.at(5000)) == [.remind(1), .lookUp("a")])
        #expect(table.lookUp("a", for: 2, now: Self.at(5100)) == [.remind(2)])
        #expect(table.patienceIsOver(1) == [.answer(1, old)])
        #expect(table.patienceIsOver(1) == [])
        #expect(table.lookUp("a", for: 3, now: Self.at(5200)) == [.answer(3, old)])
        #expect(table.finished("a", new, now: Self.at(5250)) == [.answer(2, new)])
        #expect(table.patienceIsOver(2) == [])
        #expect(table.lookUp("a", for: 4, now: Self.at(5251)) == [.answer(4, new)])
    }

    @Test("a look-up that fails leaves the old answer in use; a name that is gone takes it away")
    mutating func failures() {
        let old = Self.found(1)
        learn("a", old, at: 0)
        for time in stride(from: 2000, to: 60_000, by: 2000) {
            let time = Int64(time)
            let waiter = NameTable.Waiter(time)
            #expect(table.lookUp("a", for: waiter, now: Self.at(time)) == [.remind(waiter), .lookUp("a")])
            #expect(table.finished("a", Self.down, now: Self.at(time + 10)) == [.answer(waiter, old)])
            #expect(table.lookUp("a", for: waiter, now: Self.at(time + 20)) == [.answer(waiter, old)])
        }
        #expect(table.lookUp("a", for: 1, now: Self.at(70_000)) == [.remind(1), .lookUp("a")])
        #expect(table.finished("a", Self.absent, now: Self.at(70_010)) == [.answer(1, Self.absent)])
        #expect(table.lookUp("a", for: 2, now: Self.at(70_020)) == [.answer(2, Self.absent)])
        #expect(table.lookUp("a", for: 3, now: Self.at(80_000)) == [.lookUp("a")], "there is nothing to go on with")
        #expect(table.finished("a", Self.down, now: Self.at(80_010)) == [.answer(3, Self.down)])
    }

    @Test("an answer that nobody confirms is used for a day")
    mutating func age() {
        let day: Int64 = 24 * 3600 * 1000
        let old = Self.found(1)
        learn("a", old, at: 0)
        #expect(table.lookUp("a", for: 1, now: Self.at(day - 1)) == [.remind(1), .lookUp("a")])
        #expect(table.finished("a", Self.down, now: Self.at(day - 1)) == [.answer(1, old)])
        #expect(table.lookUp("a", for: 2, now: Self.at(day)) == [.answer(2, Self.down)])
    }

    @Test("who gives up is told nothing; the look-up goes on, and what it finds is known")
    mutating func givenUp() {
        #expect(table.lookUp("a", for: 1, now: Self.at(0)) == [.lookUp("a")])
        #expect(table.giveUp(1) == true)
        #expect(table.giveUp(1) == false)
        let answer = Self.found(1)
        #expect(table.finished("a", answer, now: Self.at(10)) == [])
        #expect(table.lookUp("a", for: 2, now: Self.at(20)) == [.answer(2, answer)])
    }

    @Test("sixteen names are looked up at once, the others in the order in which they were first asked for")
    mutating func limit() {
        for number in 0..<20 {
            let name = "n\(number)"
            #expect(table.lookUp(name, for: UInt64(number), now: Self.at(0)) == (number < 16 ? [.lookUp(name)] : []))
        }
        // They are asked for again and again, as backends are that are down.
        for number in 0..<20 {
            table.giveUp(UInt64(number))
            #expect(table.lookUp("n\(number)", for: UInt64(100 + number), now: Self.at(500)) == [])
        }
        for number in 0..<4 {
            let actions = table.finished("n\(number)", Self.down, now: Self.at(501))
            #expect(actions == [.answer(UInt64(100 + number), Self.down), .lookUp("n\(16 + number)")])
        }
        #expect(table.finished("n5", Self.down, now: Self.at(502)) == [.answer(105, Self.down)])
    }

    @Test("names that hang leave threads to those that do not, however many they are")
    mutating func slowNames() {
        var waiter: UInt64 = 0
        func lookUp(_ table: inout NameTable, _ name: String, _ time: Int64) -> [Action] {
            waiter += 1
            return table.lookUp(name, for: waiter, now: Self.at(time))
        }
        let names = (0..<40).map { "slow\($0)" }
        var running: Set<String> = []
        func note(_ actions: [Action]) {
            for case .lookUp(let name) in actions { running.insert(name) }
        }
        // Each look-up takes ten seconds; who asks gives up, and asks again.
        for second in Int64(0)..<60 {
            for name in names { note(lookUp(&table, name, second * 1000)) }
            guard second % 10 == 9 else { continue }
            for name in running.sorted() {
                running.remove(name)
                note(table.finished(name, Self.down, now: Self.at(second * 1000 + 1)))
            }
        }
        #expect(running.count == 12)
        #expect(lookUp(&table, "quick", 60_000) == [.lookUp("quick")])
        #expect(table.finished("quick", Self.found(1), now: Self.at(60_010)) == [.answer(waiter, Self.found(1))])
    }

    @Test("4,096 names are remembered: the one that was not asked for longest makes room, one in use does not")
    mutating func room() {
        for number in 0..<NameTable.names { learn("n\(number)", Self.found(1), at: Int64(number)) }
        let now = Int64(NameTable.names)
        #expect(table.lookUp("n0", for: 1, now: Self.at(now)) == [.remind(1), .lookUp("n0")])
        learn("new", Self.found(2), at: now + 1)
        #expect(table.lookUp("n1", for: 2, now: Self.at(now + 2)) == [.lookUp("n1")], "it is forgotten")
        #expect(table.finished("n0", Self.found(3), now: Self.at(now + 3)) == [.answer(1, Self.found(3))])
    }

    @Test("a name that finds no room is refused at once")
    mutating func noRoom() {
        for number in 0..<NameTable.names { _ = table.lookUp("n\(number)", for: UInt64(number), now: Self.at(0)) }
        let refusal = NameTable.Answer.failure(.tooManyNames)
        #expect(table.lookUp("new", for: 5000, now: Self.at(1)) == [.answer(5000, refusal)])
        #expect(table.giveUp(5000) == false)
    }
}
