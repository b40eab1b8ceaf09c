import LimpetTestKit
import Testing

@testable import Affinity

@Suite("Sessions that end by age")
struct AgeTests {
    let fingerprint = Fingerprint(high: 0x31, low: 0x32)
    static let hour: Int64 = 3_600_000
    let settings = AffinitySettings(idleTimeoutMilliseconds: 30 * 60_000, absoluteTimeoutMilliseconds: 2 * hour)

    private var began: UInt32 { UInt32(Fleet.wallOrigin / 1_000_000_000 + 1000) }

    @Test("a session's beginning is written with its record, and its lifetime never exceeds its age's end")
    func clipped() throws {
        var fleet = try Fleet(settings: settings)
        _ = fleet.serve(fingerprint)
        #expect(fleet.sent.last?.createdAtSeconds == began)
        #expect(fleet.sent.last?.lifetimeMilliseconds == settings.recordLifetimeMilliseconds)
        fleet.pass(2 * Self.hour - 60_000)
        fleet.store.flush()
        _ = fleet.serve(fingerprint, hint: Hint(binding: fleet.binding(1, 3), createdAtSeconds: began, issued: began))
        #expect(
            fleet.sent.last
                == .restore(fingerprint, fleet.binding(1, 3), lifetimeMilliseconds: 60_000, createdAtSeconds: began))
        let remainingMilliseconds = try #require(fleet.entry(fingerprint)?.expiresAt.milliseconds(since: fleet.now))
        #expect(remainingMilliseconds <= 60_000 && remainingMilliseconds > 59_900)
    }

    @Test("replicas whose instants count from any part of a second agree on when it began", arguments: [0, 300, 999])
    func phase(milliseconds: Int64) throws {
        let fleet = try Fleet(settings: settings)
        var affinity = fleet.replicas[0]
        affinity.wallOrigin = Fleet.wallOrigin + 700_000_000 - milliseconds * 1_000_000
        let now = fleet.now.advanced(byMilliseconds: milliseconds)
        #expect(affinity.expiry(createdAtSeconds: nil, now).createdAtSeconds == began)
        #expect(
            !affinity.isExpired(createdAtSeconds: began - 7199, now)
                && affinity.isExpired(createdAtSeconds: began - 7200, now))
        // It ends with the second in which its hint does, 0.3 s from here.
        #expect(affinity.expiry(createdAtSeconds: began - 7199, now).lifetimeMilliseconds == 300)
    }

    @Test("touched all the while it ends at its age, and the next request begins another")
    func ends() throws {
        var fleet = try Fleet(settings: settings)
        let first = try #require(fleet.serve(fingerprint).route)
        for _ in 0..<23 {
            fleet.pass(5 * 60_000)
            let route = try #require(fleet.serve(fingerprint).route)
            #expect(route.binding == first.binding && route.provenance == .cached)
            if let touch = route.touch {
                _ = fleet.storeAnsweredInBackground(fleet.store.result(touch, now: fleet.now), to: touch)
            }
        }
        fleet.pass(5 * 60_000)
        #expect(fleet.entry(fingerprint) == nil)
        #expect(fleet.store.binding(fingerprint, now: fleet.now) == nil)
        #expect(fleet.serve(fingerprint).route?.provenance == .claimed)
        #expect(fleet.sent.last?.createdAtSeconds == began + 7200)
    }

    @Test("I12: near its end a session is not touched in vain")
    func noTouchInVain() throws {
        var fleet = try Fleet(settings: settings)
        _ = fleet.serve(fingerprint)
        fleet.pass(30 * 60_000)
        if let touch = fleet.serve(fingerprint).route?.touch {
            _ = fleet.storeAnsweredInBackground(fleet.store.result(touch, now: fleet.now), to: touch)
        }
        var touches = 0
        for _ in 0..<85 {
            fleet.pass(60_000)
            guard let touch = fleet.serve(fingerprint).route?.touch else { continue }
            touches += 1
            _ = fleet.storeAnsweredInBackground(fleet.store.result(touch, now: fleet.now), to: touch)
        }
        #expect(touches >= 2 && touches <= 6, "\(touches)")
    }

    @Test("a move keeps the beginning, a session dropped begins anew")
    func moves() throws {
        var fleet = try Fleet(settings: settings)
        let home = try #require(fleet.serve(fingerprint).route?.backend)
        fleet.pass(60_000)
        fleet.markDown(home)
        _ = fleet.serve(fingerprint)
        #expect(fleet.sent.last?.createdAtSeconds == began)
        fleet.store.drop(fingerprint, lifetimeMilliseconds: 60_000, now: fleet.now)
        fleet.replicas[0].cache.receive(Binding(backend: .tombstone, epoch: 3), of: fingerprint, now: fleet.now)
        _ = fleet.serve(fingerprint)
        #expect(fleet.sent.last?.createdAtSeconds == began + 60)
    }

    @Test("a route says when its session began, whatever the hint was worth, by the cache and by the store")
    func routes() throws {
        var fleet = try Fleet(settings: settings)
        // The hint has come too late to count: it is none.
        #expect(fleet.serve(fingerprint).route?.createdAtSeconds == began)
        fleet.pass(35 * 60_000)
        #expect(fleet.serve(fingerprint).route?.createdAtSeconds == began)
        fleet.restart(replica: 0)
        let stored = try #require(fleet.serve(fingerprint).route)
        #expect(stored.provenance == .stored && stored.createdAtSeconds == began)
        fleet.storeIsAvailable = false
        #expect(fleet.serve(fingerprint).route?.createdAtSeconds == began)
        fleet.markDown(stored.backend)
        fleet.setChannel(live: false)
        let moved = try #require(fleet.serve(fingerprint).route)
        #expect(moved.provenance == .rebound && moved.createdAtSeconds == began)
    }

    @Test("a beginning in the future, of a clock that runs ahead, prolongs nothing")
    func clockAhead() throws {
        var fleet = try Fleet(settings: settings)
        let hint = Hint(binding: fleet.binding(1, 3), createdAtSeconds: .max, issued: began)
        _ = fleet.serve(fingerprint, hint: hint)
        #expect(fleet.sent.last?.createdAtSeconds == began)
    }

    @Test("a hint of a session that is over does not count")
    func hints() {
        let renewal = CookieRenewal(idleTimeoutMilliseconds: 1_800_000, absoluteTimeoutMilliseconds: 2 * Self.hour)
        let binding = Binding(backend: BackendHash(bits: 5), epoch: 2)
        #expect(renewal.isValid(Hint(binding: binding, createdAtSeconds: 1000, issued: 8000), now: 8199))
        #expect(!renewal.isValid(Hint(binding: binding, createdAtSeconds: 1000, issued: 8000), now: 8200))
    }
}
