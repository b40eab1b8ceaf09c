import Testing

@testable import Affinity

@Suite("The pace of offers")
struct OfferThrottleTests {
    private func at(_ milliseconds: Int64) -> Instant { Instant(nanoseconds: milliseconds * 1_000_000) }

    /// How many offers are sent in this time if each is answered before the next tick.
    private func sent(_ pace: OfferThrottle, from start: Int64, for milliseconds: Int64, callers: Int = 1) -> Int {
        var sum = 0
        for time in stride(from: start, to: start + milliseconds, by: 5) {
            for _ in 0..<callers {
                let count = pace.take(100, now: at(time))
                sum += count
                for _ in 0..<count { pace.ended(isSlow: false, now: at(time + 1)) }
            }
        }
        return sum
    }

    @Test(
        "a fleet sends 20,000 a second at most, and nearly as many, whoever asks in a replica",
        arguments: [1, 2, 3, 7, 20, 100], [1, 16])
    func shared(replicas: Int, callers: Int) {
        let pace = OfferThrottle(primaries: 1, replicas: replicas)
        _ = sent(pace, from: 0, for: 1000, callers: callers)
        let all = sent(pace, from: 1000, for: 1000, callers: callers) * replicas
        #expect((16_000...20_000).contains(all), "\(all)")
    }

    @Test("of several primaries the one at which most replicas are heard counts")
    func primaries() {
        let pace = OfferThrottle(primaries: 2, replicas: 1)
        pace.share(among: 100, primary: 1)
        pace.share(among: 5, primary: 7)
        #expect(sent(pace, from: 0, for: 1000) <= 200)
    }

    @Test("a replica that has not counted the others sends 200 a second")
    func uncounted() {
        #expect((190...200).contains(sent(OfferThrottle(primaries: 1), from: 0, for: 1000)))
        #expect(sent(Coherence(primaries: 1).offerThrottle, from: 0, for: 1000) <= 200)
        #expect(sent(Coherence.alone().offerThrottle, from: 0, for: 1000) > 15_000)
    }

    @Test("further ones are sent as those in flight end: one at first, then more, at most a hundred")
    func closedLoop() {
        let pace = OfferThrottle(primaries: 1, replicas: 1)
        #expect(pace.take(100, now: at(0)) == 1)
        for time in 1...500 as ClosedRange<Int64> { #expect(pace.take(100, now: at(time * 5)) == 0) }
        pace.ended(isSlow: false, now: at(2500))
        #expect(pace.take(100, now: at(2505)) == 2)
        pace.ended(isSlow: false, now: at(2506))
        #expect(pace.take(100, now: at(2510)) == 2)
        var inFlight = 3
        for time in 600..<900 as Range<Int64> {
            for _ in 0..<inFlight { pace.ended(isSlow: false, now: at(time * 5)) }
            inFlight = pace.take(1000, now: at(time * 5))
        }
        #expect(inFlight == 100)
    }

    @Test("after a slow answer none is sent for a tenth of a second, then one")
    func slow() {
        let pace = OfferThrottle(primaries: 1, replicas: 1)
        _ = sent(pace, from: 0, for: 1000)
        #expect(pace.take(50, now: at(1000)) == 50)
        for number in 0..<50 { pace.ended(isSlow: number == 0, now: at(1010)) }
        #expect(pace.take(100, now: at(1105)) == 0)
        #expect(pace.take(100, now: at(1110)) == 50, "the answers in time after the slow one count")
        pace.ended(isSlow: true, now: at(1120))
        #expect(pace.take(100, now: at(1225)) == 0, "49 are in flight")
        for _ in 0..<49 { pace.ended(isSlow: true, now: at(1230)) }
        #expect(pace.take(100, now: at(1325)) == 0)
        #expect(pace.take(100, now: at(1330)) == 1)
    }

    @Test("what was taken and not sent costs nothing")
    func givenBack() {
        let pace = OfferThrottle(primaries: 1, replicas: 100)
        for time in 0..<100 as Range<Int64> {
            #expect(pace.take(10, now: at(time)) == 1)
            pace.giveBack(1)
        }
        #expect(sent(pace, from: 100, for: 1000) >= 190)
    }

    @Test("slow is an answer after a quarter of the budget, and none")
    func isSlow() {
        let stamp = OperationStamp(sentAt: at(0), isFromChannelServer: true)
        #expect(!StoreResult.written.isSlow(stamp, budgetMilliseconds: 20, now: at(5)))
        #expect(StoreResult.written.isSlow(stamp, budgetMilliseconds: 20, now: at(6)))
        for failure in StoreFailure.allCases {
            #expect(StoreResult.unavailable(failure).isSlow(stamp, budgetMilliseconds: 20, now: at(0)))
        }
    }

    @Test("a hundred replicas, after a minute without a store: 20,000 a second together, and all is told")
    func hundred() throws {
        var crowd = try OfferCrowd(replicas: 100, loops: 2, guesses: 250, known: 100)
        crowd.live(for: 6000)
        crowd.decideWithoutStore(for: 60_000)
        crowd.live(for: 7000)
        let seconds = crowd.sentEachSecond
        #expect(seconds.allSatisfy { $0 <= 20_000 }, "\(seconds)")
        #expect(seconds.max() ?? 0 > 15_000, "\(seconds)")
        // Each guess, and each known session by one replica at least.
        #expect(crowd.isAllTold, "\(seconds)")
        #expect(crowd.longestAnswer <= 5)
    }

    @Test("a store that has no room for them is offered little, and answers requests in their budget")
    func slowStore() throws {
        var crowd = try OfferCrowd(replicas: 100, loops: 2, guesses: 50, known: 50)
        crowd.live(for: 6000)
        crowd.decideWithoutStore(for: 60_000)
        crowd.microsecondsEach = 300
        crowd.live(for: 4000)
        #expect(crowd.sentEachSecond.allSatisfy { $0 <= 3500 }, "\(crowd.sentEachSecond)")
        #expect(crowd.longestAnswer <= 40, "\(crowd.longestAnswer) ms")
    }

    @Test("the last count holds until the channel has been live for as long as it takes to hear everyone")
    func count() throws {
        var crowd = try OfferCrowd(replicas: 1, loops: 1, guesses: 0, known: 0, heard: 99)
        crowd.live(for: 6000)
        crowd.decideWithoutStore(for: 60_000)
        crowd.hears = 0
        crowd.live(for: 5000)
        let before = sent(crowd.replicas[0].coherence.offerThrottle, from: crowd.now.nanoseconds / 1_000_000, for: 1000)
        #expect(before <= 200)
        crowd.live(for: 1000)
        let after = sent(crowd.replicas[0].coherence.offerThrottle, from: crowd.now.nanoseconds / 1_000_000, for: 1000)
        #expect(after > 15_000)
    }
}
