import Affinity
import NIOCore
import NIOEmbedded
import Testing

@testable import Proxy

@Suite("Offers to the store")
struct OfferSchedulerTests {
    @Test("One is sent, and further ones as those in flight are answered; in the background, and all in the end")
    func closedLoop() async throws {
        let own = try LoopOfItsOwn([Described(backends: [.init("a", 1), .init("b", 2)])])
        let loop = try #require(own.loop.eventLoop as? EmbeddedEventLoop)
        let service = own.table.services[0]
        for number in 0..<300 as Range<UInt64> {
            var decision = Decision(fingerprint: Fingerprint(high: number << 32, low: number))
            _ = service.affinity.begin(&decision, storeIsAvailable: false, now: own.loop.now())
        }
        #expect(service.affinity.hasOffers)
        let scheduler = OfferScheduler(loop: own.loop, table: own.table, store: own.store, coherence: .alone())
        func run(turns: Int) async throws {
            for _ in 0..<turns {
                scheduler.startIfDue()
                loop.advanceTime(by: .milliseconds(5))
                try await Task.sleep(for: .milliseconds(5))
            }
        }
        try await run(turns: 10)
        #expect(own.store.heldCount == 1)
        #expect(own.store.isInBackground)
        own.store.release()
        try await run(turns: 100)
        #expect(!service.affinity.hasOffers)
        scheduler.stop()
    }
}
