import Testing

@testable import Proxy

/// Every order of events up to a length, so that no path to a second sending is overlooked.
@Suite("How often one request is tried")
struct AttemptsTests {
    private enum Event: CaseIterable {
        /// The connection could not be made; the backend counts as up, or as down.
        case unreachableWhileUp, unreachableWhileDown
        /// The connection was lost before a response head had come.
        case lost
        case answered
    }

    /// One request, driven as the exchange drives it.
    private struct Course {
        var attempts: Attempts
        /// A connection is being made; else the request is with a backend.
        var isConnecting = true
        var isOver = false
        /// How often bytes of the request went out.
        var sendings = 0
        /// Connections that failed since the backend was chosen.
        var failuresHere = 0
        var mostFailuresAtOne = 0
        var failuresWhileDown = 0
        var backendsTried = 1

        init(mayBeRepeated: Bool) { attempts = Attempts(mayBeRepeated: mayBeRepeated) }

        mutating func meet(_ event: Event) {
            guard !isOver else { return }
            switch event {
            case .unreachableWhileUp: connectFailed(isUp: true)
            case .unreachableWhileDown: connectFailed(isUp: false)
            case .lost: lost()
            case .answered:
                send()
                isOver = true
            }
        }

        private mutating func connectFailed(isUp: Bool) {
            // One that is with a backend has a connection: this event cannot be.
            guard isConnecting else { return }
            failuresHere += 1
            mostFailuresAtOne = max(mostFailuresAtOne, failuresHere)
            switch attempts.connectFailed(isUp: isUp) {
            case .connectAgain:
                if !isUp { failuresWhileDown += 1 }
            case .backendFailed:
                attempts.moved()
                backendsTried += 1
                failuresHere = 0
            }
        }

        private mutating func send() {
            if isConnecting { sendings += 1 }
            isConnecting = false
        }

        private mutating func lost() {
            send()
            switch attempts.connectionLost(isRetried: false) {
            case .sendAgain: isConnecting = true
            case .giveUp: isOver = true
            }
        }
    }

    /// What becomes of a request in each sequence of so many events.
    private static func courses(mayBeRepeated: Bool, events: Int) -> [Course] {
        var courses = [Course(mayBeRepeated: mayBeRepeated)]
        for _ in 0..<events {
            courses = courses.flatMap { course in
                Event.allCases.map { event in
                    var next = course
                    next.meet(event)
                    return next
                }
            }
        }
        return courses
    }

    @Test("one that may have effects is sent at most once, whatever happens in whatever order")
    func once() {
        let courses = Self.courses(mayBeRepeated: false, events: 8)
        #expect(courses.count == 65_536)
        #expect(courses.allSatisfy { $0.sendings <= 1 })
        #expect(courses.contains { $0.sendings == 1 && $0.backendsTried > 2 }, "moving on is no sending")
    }

    @Test("one without effects is sent at most twice, wherever it goes meanwhile")
    func twice() {
        let courses = Self.courses(mayBeRepeated: true, events: 8)
        #expect(courses.allSatisfy { $0.sendings <= 2 })
        #expect(courses.contains { $0.sendings == 2 && $0.backendsTried == 1 })
        #expect(courses.contains { $0.sendings == 2 && $0.backendsTried > 2 })
    }

    @Test(
        "no backend is connected to three times in vain, and none again that counts as down", arguments: [true, false])
    func connections(_ mayBeRepeated: Bool) {
        let courses = Self.courses(mayBeRepeated: mayBeRepeated, events: 8)
        #expect(courses.allSatisfy { $0.mostFailuresAtOne <= 2 && $0.failuresWhileDown == 0 })
        #expect(courses.contains { $0.mostFailuresAtOne == 2 })
    }

    @Test("each backend that is chosen is tried twice, as the first one is")
    func eachBackend() {
        var attempts = Attempts(mayBeRepeated: false)
        for _ in 0..<3 {
            #expect(attempts.connectFailed(isUp: true) == .connectAgain)
            #expect(attempts.connectFailed(isUp: true) == .backendFailed)
            attempts.moved()
        }
    }

    @Test("a connection that is lost is answered by sending again once, and then never")
    func lost() {
        var repeatable = Attempts(mayBeRepeated: true)
        #expect(
            (0..<4).map { _ in repeatable.connectionLost(isRetried: false) } == [.sendAgain, .giveUp, .giveUp, .giveUp])
        var other = Attempts(mayBeRepeated: false)
        #expect(other.connectionLost(isRetried: false) == .giveUp)
    }
}
