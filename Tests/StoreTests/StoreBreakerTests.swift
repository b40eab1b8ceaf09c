import Affinity
import Testing

@testable import Store

@Suite("Whether the store may be asked")
struct StoreBreakerTests {
    private func at(_ milliseconds: Int64) -> Instant { Instant(nanoseconds: milliseconds * 1_000_000) }

    private func closed() -> StoreBreaker {
        var breaker = StoreBreaker()
        _ = breaker.connected(probeAt: at(0))
        _ = breaker.probeAnswered(isWell: true, now: at(1))
        return breaker
    }

    @Test("It is open until the first probe of a connection has been answered")
    func start() {
        var breaker = StoreBreaker()
        #expect(breaker.isOpen)
        #expect(breaker.connected(probeAt: at(5)) == .probe(at: at(5)))
        #expect(breaker.isOpen)
        #expect(breaker.probeAnswered(isWell: true, now: at(6)) == .close)
        #expect(!breaker.isOpen)
    }

    @Test("Three misses running open it, and a probe is sent a quarter of a second later")
    func misses() {
        var breaker = closed()
        #expect(breaker.missed(now: at(20)) == .doNothing)
        #expect(breaker.missed(now: at(21)) == .doNothing)
        #expect(!breaker.isOpen)
        #expect(breaker.missed(now: at(22)) == .openAndProbe(at: at(272)))
        #expect(breaker.isOpen)
        #expect(breaker.missed(now: at(23)) == .doNothing)
    }

    @Test("An answer between misses keeps it closed")
    func results() {
        var breaker = closed()
        for time in 0..<10 as Range<Int64> {
            #expect(breaker.missed(now: at(time)) == .doNothing)
            #expect(breaker.missed(now: at(time)) == .doNothing)
            breaker.answered(isBackground: false, now: at(time))
        }
        #expect(!breaker.isOpen)
    }

    @Test("A probe answered too late, or with an error, is repeated; a good one closes")
    func probes() {
        var breaker = closed()
        for time in 1...3 as ClosedRange<Int64> { _ = breaker.missed(now: at(time)) }
        breaker.answered(isBackground: false, now: at(4))
        #expect(breaker.isOpen)
        #expect(breaker.probeAnswered(isWell: false, now: at(300)) == .probe(at: at(550)))
        #expect(breaker.probeAnswered(isWell: true, now: at(551)) == .close)
        #expect(!breaker.isOpen)
    }

    @Test("A lost connection opens it")
    func loss() {
        var breaker = closed()
        breaker.disconnected()
        #expect(breaker.isOpen)
        #expect(breaker.connected(probeAt: at(9)) == .probe(at: at(9)))
    }

    /// Closed again after a failure, at this time.
    private func returned(at time: Int64) -> StoreBreaker {
        var breaker = closed()
        breaker.disconnected()
        _ = breaker.connected(probeAt: at(time))
        _ = breaker.probeAnswered(isWell: true, now: at(time))
        return breaker
    }

    /// Sends as many operations as are admitted, and returns how many.
    private func fill(_ breaker: inout StoreBreaker, now: Int64) -> Int {
        for count in 0..<1000 {
            guard breaker.admits(now: at(now)) else { return count }
            breaker.sent(isBackground: false)
        }
        return 1000
    }

    @Test("It closes after a failure for one operation, then for twice as many, until nothing is limited")
    func doubling() {
        var breaker = returned(at: 100)
        var admitted: [Int] = []
        for turn in 0..<9 as Range<Int64> {
            let count = fill(&breaker, now: 100 + turn)
            admitted.append(count)
            for _ in 0..<count { breaker.answered(isBackground: false, now: at(100 + turn)) }
        }
        #expect(admitted == [1, 2, 4, 8, 16, 32, 64, 128, 1000])
    }

    @Test("It is limited after misses and after a probe that failed, not at the start of the process")
    func whenLimited() {
        var first = closed()
        #expect(fill(&first, now: 1) == 1000)
        var missed = closed()
        for time in 1...3 as ClosedRange<Int64> { _ = missed.missed(now: at(time)) }
        _ = missed.probeAnswered(isWell: true, now: at(260))
        #expect(fill(&missed, now: 260) == 1)
        var slow = StoreBreaker()
        _ = slow.connected(probeAt: at(0))
        _ = slow.probeAnswered(isWell: false, now: at(30))
        _ = slow.probeAnswered(isWell: true, now: at(290))
        #expect(fill(&slow, now: 290) == 1)
        var away = StoreBreaker()
        away.disconnected()
        _ = away.connected(probeAt: at(0))
        _ = away.probeAnswered(isWell: true, now: at(1))
        #expect(fill(&away, now: 1) == 1)
    }

    @Test("A miss while it limits opens it again, and the next time it begins with one")
    func missWhileLimiting() {
        var breaker = returned(at: 100)
        for _ in 0..<fill(&breaker, now: 100) { breaker.answered(isBackground: false, now: at(101)) }
        #expect(fill(&breaker, now: 101) == 2)
        breaker.answered(isBackground: false, now: at(102))
        #expect(breaker.missed(now: at(121)) == .openAndProbe(at: at(371)))
        #expect(breaker.isOpen && fill(&breaker, now: 121) == 0)
        #expect(breaker.probeAnswered(isWell: true, now: at(372)) == .close)
        #expect(fill(&breaker, now: 372) == 1)
    }

    @Test("A loop that seldom asks is not limited for longer than a second")
    func limitEnds() {
        var breaker = returned(at: 100)
        #expect(fill(&breaker, now: 1099) == 1)
        #expect(fill(&breaker, now: 1100) == 1000)
        #expect(breaker.missed(now: at(1120)) == .doNothing)
    }

    @Test("What no request waits for is neither limited nor counted")
    func background() {
        var breaker = returned(at: 100)
        for _ in 0..<10 { breaker.sent(isBackground: true) }
        for _ in 0..<10 { breaker.answered(isBackground: true, now: at(101)) }
        #expect(fill(&breaker, now: 101) == 1)
    }
}

@Suite("When to connect again")
struct ReconnectTests {
    private func at(_ milliseconds: Int64) -> Instant { Instant(nanoseconds: milliseconds * 1_000_000) }

    @Test("The wait is drawn evenly from 0 to a ceiling that doubles up to two seconds")
    func delay() {
        var delay = ReconnectDelay()
        #expect(
            [100, 200, 400, 800, 1600, 2000, 2000].map { _ in delay.next(random: .max) }
                == [100, 200, 400, 800, 1600, 2000, 2000])
        #expect(delay.next(random: 0) == 0)
        #expect(delay.next(random: 1 << 63) == 1000)
        delay.reset()
        #expect(delay.next(random: .max) == 100)
    }

    @Test("While the store is away all loops together make two attempts a second at most", arguments: [1, 4, 64])
    func pacing(_ loops: Int) {
        var pacing = ReconnectRateLimit(connections: loops, now: at(0))
        let atOnce = (0...loops).map { _ in pacing.admit(now: at(0)) }
        #expect(atOnce == Array(repeating: true, count: loops) + [false])
        pacing.failed()
        let admitted = (1...10_000).filter { pacing.admit(now: at($0)) }
        #expect((18...20).contains(admitted.count))
        #expect(zip(admitted, admitted.dropFirst()).allSatisfy { $1 - $0 >= 500 })
    }

    @Test("Once one loop has connected the others may follow, within four seconds", arguments: [1, 4, 64])
    func back(_ loops: Int) {
        var pacing = ReconnectRateLimit(connections: loops, now: at(0))
        for _ in 0..<loops { _ = pacing.admit(now: at(0)) }
        pacing.failed()
        #expect(pacing.admit(now: at(1000)) == true)
        pacing.connected()
        let admitted = (1001...5001).filter { pacing.admit(now: at($0)) }
        #expect(admitted.count >= loops - 1)
        #expect(admitted.count <= loops * 2 + 8)
    }

    @Test("The connections to a primary and its subscription may be made at once, and no more")
    func atOnce() {
        let status = PrimaryStatus(dataConnections: 2)
        let now = Instant.now
        #expect((0..<5).map { _ in status.admitsAttempt(now: now) } == [true, true, true, false, false])
    }

    @Test("A server that makes up errors is logged a bounded number of times")
    func madeUpErrors() {
        let status = PrimaryStatus(dataConnections: 1)
        let logged = (0..<1000).count { number in
            let error = StoreError.misbehaves("error \(number)")
            return status.shouldLog(error, to: .store, now: .now)
        }
        #expect(logged == 64)
    }

    @Test("A store that takes connections and drops them at once is not overrun")
    func flapping() {
        var pacing = ReconnectRateLimit(connections: 4, now: at(0))
        var admitted = 0
        for time in 1...60_000 as ClosedRange<Int64> where pacing.admit(now: at(time)) {
            admitted += 1
            pacing.connected()
            pacing.failed()
        }
        #expect((100...125).contains(admitted))
    }
}

@Suite("How long answers take")
struct LatencyHistogramTests {
    @Test(
        "A duration counts in the lowest bucket whose bound it does not exceed",
        arguments: [(0, 0), (-5, 0), (32, 0), (33, 1), (64, 1), (65, 2), (32_768, 10), (32_769, 11), (.max, 11)])
    func buckets(_ microseconds: Int64, _ bucket: Int) {
        var histogram = LatencyHistogram()
        histogram.record(microseconds: microseconds)
        #expect(histogram.counts.firstIndex(of: 1) == bucket)
        #expect(histogram.count == 1)
        #expect(histogram.sum == UInt64(max(0, microseconds)))
    }

    @Test("There is a bound for each bucket but the last")
    func bounds() {
        #expect(LatencyHistogram.bounds.first == 32)
        #expect(LatencyHistogram.bounds.last == 32_768)
        #expect(LatencyHistogram().counts.count == LatencyHistogram.bounds.count + 1)
    }
}
