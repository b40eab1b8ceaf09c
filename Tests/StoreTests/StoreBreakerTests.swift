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
            breaker.answered()
        }
        #expect(!breaker.isOpen)
    }

    @Test("A probe answered too late, or with an error, is repeated; a good one closes")
    func probes() {
        var breaker = closed()
        for time in 1...3 as ClosedRange<Int64> { _ = breaker.missed(now: at(time)) }
        breaker.answered()
        #expect(breaker.isOpen)
        #expect(breaker.probeAnswered(isWell: false, now: at(300)) == .probe(at: at(550)))
        #expect(breaker.probeAnswered(isWell: true, now: at(551)) == .close)
        #expect(breaker.missed(now: at(600)) == .doNothing)
    }

    @Test("A lost connection opens it")
    func loss() {
        var breaker = closed()
        breaker.disconnected()
        #expect(breaker.isOpen)
        #expect(breaker.connected(probeAt: at(9)) == .probe(at: at(9)))
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
