import LimpetTestKit
import Testing

@testable import Affinity

@Suite("The lives of sessions after a loss")
struct StandbyLifeTests {
    let session = Fingerprint(high: 0xFEDC_BA98_7654_3210, low: 0x0123_4567_89AB_CDEF)
    let now = Instant(nanoseconds: 5_000_000_000_000)

    @Test("an own write that finds its binding with less life than is known here extends it")
    func extended() throws {
        var fleet = try Fleet()
        let binding = fleet.binding(3, 2)
        let lifetimeMilliseconds = fleet.settings.recordLifetimeMilliseconds
        fleet.know(session, binding, .confirmed)
        let write = StoreOperation.restore(session, binding, lifetimeMilliseconds: lifetimeMilliseconds)
        let next = fleet.storeAnsweredInBackground(
            .record(binding, remainingMilliseconds: lifetimeMilliseconds / 2), to: write)
        guard case .touch(session, let touched)? = next else {
            Issue.record("\(String(describing: next))")
            return
        }
        #expect(touched > lifetimeMilliseconds - 100 && touched <= lifetimeMilliseconds)
        #expect(fleet.entry(session)?.expiresAt ?? .distantPast > fleet.now.advanced(byMilliseconds: touched - 100))
        let enough = fleet.storeAnsweredInBackground(
            .record(binding, remainingMilliseconds: lifetimeMilliseconds / 5 * 4), to: write)
        #expect(enough == nil)
    }

    @Test("a record that ends within the resolution of the cache is touched by the request that finds it")
    func ending() throws {
        var fleet = try Fleet()
        fleet.store.put(session, fleet.binding(3, 2), until: fleet.now.advanced(byMilliseconds: 20))
        let route = try #require(fleet.serve(session).route)
        #expect(route.provenance == .stored)
        #expect(
            route.touch == .touch(session, lifetimeMilliseconds: fleet.settings.recordLifetimeMilliseconds))
    }

    @Test("a record with less than 3/4 of the known life is no confirmation: the loss may not have been noticed yet")
    func unnoticed() throws {
        let binding = Binding(backend: BackendHash(bits: 5), epoch: 2)
        for isStandby in [true, false] {
            let cache = BindingCache(entries: 1, shards: 1)
            let confirmedAt = now.advanced(byMilliseconds: -5000)
            cache.store(
                BindingCache.Entry(
                    binding: binding, kind: .confirmed, confirmedAt: confirmedAt,
                    expiresAt: now.advanced(byMilliseconds: 100_000), isSuspect: isStandby, isStandby: isStandby),
                for: session, now: confirmedAt)
            let before = cache.peek(session, now: now)
            let short = StoredRecord(binding, remainingMilliseconds: 50_000)
            cache.applyRead(short, of: session, sentAt: now, lineageBegan: .distantPast, now: now)
            cache.applyAnnounced(short, of: session, livesFrom: now, lineageBegan: .distantPast, now: now)
            #expect(cache.peek(session, now: now) == before)
            let long = StoredRecord(binding, remainingMilliseconds: 90_000)
            cache.applyRead(long, of: session, sentAt: now, lineageBegan: .distantPast, now: now)
            #expect(cache.peek(session, now: now)?.expiresAt ?? .distantFuture < now.advanced(byMilliseconds: 95_000))
        }
    }
}
