import Testing

@testable import Control

@Suite("When the configuration is read anew")
struct ReloadPolicyTests {
    private static let begin = ContinuousClock.now

    private static func at(_ seconds: Double) -> ContinuousClock.Instant { begin + .seconds(seconds) }

    @Test("nothing is read where nothing has changed")
    func nothing() {
        var policy = ReloadPolicy(window: .seconds(2))
        let action = policy.next(at: Self.at(0))
        #expect(action == .nothing)
    }

    @Test("the first change is read at once, those of the window after it together")
    func throttle() {
        var policy = ReloadPolicy(window: .seconds(2))
        var readings: [Double] = []
        var waits: [ContinuousClock.Instant] = []
        for tenth in 0...60 {
            let time = Double(tenth) / 10
            if tenth <= 20, tenth.isMultiple(of: 2) { policy.changed() }
            switch policy.next(at: Self.at(time)) {
            case .read:
                readings.append(time)
                policy.ended()
            case .wait(let until): waits.append(until)
            case .nothing: break
            }
        }
        #expect(readings == [0, 2])
        #expect(waits == [Self.at(2)])
    }

    @Test("what is demanded does not wait for the window, and takes along what has changed")
    func demand() {
        var policy = ReloadPolicy(window: .seconds(2))
        policy.changed()
        let first = policy.next(at: Self.at(0))
        policy.ended()
        policy.changed()
        let second = policy.next(at: Self.at(0.1))
        policy.demanded()
        let third = policy.next(at: Self.at(0.2))
        policy.ended()
        let fourth = policy.next(at: Self.at(5))
        #expect(first == .read)
        #expect(second == .wait(until: Self.at(2)))
        #expect(third == .read)
        #expect(fourth == .nothing)
    }

    @Test("what changes during a reading is read after it, and never beside it")
    func oneAtATime() {
        var policy = ReloadPolicy(window: .zero)
        policy.changed()
        let first = policy.next(at: Self.at(0))
        policy.changed()
        policy.demanded()
        let during = policy.next(at: Self.at(1))
        policy.ended()
        let after = policy.next(at: Self.at(2))
        #expect(first == .read)
        #expect(during == .nothing)
        #expect(after == .read)
    }

    @Test("a window that has been waited for is waited for no more than once")
    func oneTimer() {
        var policy = ReloadPolicy(window: .seconds(2))
        policy.changed()
        _ = policy.next(at: Self.at(0))
        policy.ended()
        policy.changed()
        let waits = (1...9).map { policy.next(at: Self.at(Double($0) / 10)) }
        let last = policy.next(at: Self.at(2))
        #expect(waits.count { $0 != .nothing } == 1)
        #expect(last == .read)
    }
}
