import Testing

@testable import Affinity

@Suite("Hints and the renewal of our cookie")
struct CookieRenewalTests {
    let binding = Binding(backend: BackendHash(bits: 5), epoch: 2)
    let renewal = CookieRenewal(idleTimeoutMilliseconds: 1_800_000)

    private func hint(issued: UInt32) -> Hint { Hint(binding: binding, createdAtSeconds: 0, issued: issued) }
    /// Whether the response carries a cookie, and its hint counts as issued now.
    private func isRenewed(_ renewal: CookieRenewal, _ route: Route, _ hint: Hint?, now: UInt32) -> Bool {
        renewal.issued(for: route, hint: hint, recordLives: true, now: now) == now
    }
    private func route(_ binding: Binding, _ provenance: Provenance = .cached) -> Route {
        Route(backend: 0, binding: binding, provenance: provenance)
    }

    @Test("a hint is valid for the idle timeout after it was issued, a day where none is set")
    func validity() {
        #expect(renewal.validitySeconds == 1800)
        #expect(CookieRenewal(idleTimeoutMilliseconds: nil).validitySeconds == 86_400)
        #expect(CookieRenewal(idleTimeoutMilliseconds: 1).validitySeconds == 1)
        #expect(CookieRenewal(idleTimeoutMilliseconds: 1001).validitySeconds == 2)
        #expect(CookieRenewal(idleTimeoutMilliseconds: .max).validitySeconds == .max)
        #expect(CookieRenewal(idleTimeoutMilliseconds: -5).validitySeconds == 1)
    }

    @Test("clocks may differ by two minutes, but no more than a third of the validity")
    func tolerance() {
        #expect(renewal.tolerance == 120)
        #expect(CookieRenewal(idleTimeoutMilliseconds: 300_000).tolerance == 100)
        let now: UInt32 = 1_000_000
        for (issued, valid) in [
            (now, true), (now + 120, true), (now + 121, false), (now - 1920, true), (now - 1921, false),
        ] {
            #expect(renewal.isValid(hint(issued: issued), now: now) == valid, "issued \(Int64(issued) - Int64(now))")
        }
        #expect(renewal.isValid(hint(issued: 0), now: 10))
        #expect(!renewal.isValid(hint(issued: .max), now: 0))
        #expect(!renewal.isValid(hint(issued: 0), now: .max))
    }

    @Test(
        "the cookie goes out for a new session, a changed binding, and a hint older than a quarter of its validity"
    )
    func due() {
        let now: UInt32 = 1_000_000
        #expect(isRenewed(renewal, route(binding, .placed), nil, now: now))
        #expect(renewal.issued(for: route(binding), hint: hint(issued: now), recordLives: true, now: now) == nil)
        #expect(renewal.issued(for: route(binding), hint: hint(issued: now - 450), recordLives: true, now: now) == nil)
        #expect(isRenewed(renewal, route(binding), hint(issued: now - 451), now: now))
        #expect(renewal.issued(for: route(binding), hint: hint(issued: now + 100), recordLives: true, now: now) == nil)
        let moved = Binding(backend: binding.backend, epoch: 3)
        #expect(isRenewed(renewal, route(moved, .rebound), hint(issued: now), now: now))
        let nextChoice = Binding(backend: BackendHash(bits: 6), epoch: 2)
        #expect(isRenewed(renewal, route(nextChoice, .stored), hint(issued: now), now: now))
    }

    @Test("a cookie that the browser drops sooner than the hint ends is renewed within a quarter of its Max-Age")
    func maxAge() {
        let now: UInt32 = 1_000_000
        for (maxAge, fresh, due) in [(3600, 900, 901), (3, 0, 1), (1, 0, 1), (86_400, 450, 451), (0, 450, 451)]
            as [(Int, UInt32, UInt32)]
        {
            let renewal = CookieRenewal(
                idleTimeoutMilliseconds: 1_800_000 * (maxAge == 3600 ? 48 : 1), cookieMaxAge: maxAge)
            #expect(
                renewal.issued(for: route(binding), hint: hint(issued: now - fresh), recordLives: true, now: now)
                    == nil, "Max-Age \(maxAge)")
            #expect(isRenewed(renewal, route(binding), hint(issued: now - due), now: now), "Max-Age \(maxAge)")
        }
        // What a client sends back counts for as long as it did: Max-Age is between the browser and its disk.
        let short = CookieRenewal(idleTimeoutMilliseconds: 1_800_000, cookieMaxAge: 60)
        #expect(short.validitySeconds == 1800 && short.isValid(hint(issued: now - 1800), now: now))
    }

    @Test("a detour renews nothing")
    func detour() {
        #expect(renewal.issued(for: route(binding, .detoured), hint: nil, recordLives: true, now: 5000) == nil)
        #expect(
            renewal.issued(for: route(binding, .detoured), hint: hint(issued: 0), recordLives: true, now: 5000) == nil)
    }

    @Test("a hint that vouches is so young that its session still has its idle timeout, however the clocks differ")
    func vouching() {
        for minutes in [1, 6, 10, 11, 15, 24, 30, 60, 480, 1440] as [Int64] {
            let renewal = CookieRenewal(idleTimeoutMilliseconds: minutes * 60_000)
            let recordLifetime = AffinitySettings(idleTimeoutMilliseconds: minutes * 60_000).recordLifetimeMilliseconds
            let age = Int64(renewal.vouchingAgeSeconds)
            #expect((age > 0) == (minutes > 10), "\(minutes) min")
            guard age > 0 else { continue }
            let oldest = (age + Int64(renewal.tolerance) + 1) * 1000
            #expect(renewal.vouchedLifeMilliseconds - oldest >= minutes * 60_000)
            // There is time for a touch and a response.
            #expect(recordLifetime - renewal.vouchedLifeMilliseconds >= 5000)
            #expect(renewal.vouchingAgeSeconds == renewal.renewalAgeSeconds)
            let now: UInt32 = 1_000_000
            #expect(renewal.vouches(hint(issued: now - UInt32(age)), now: now))
            #expect(!renewal.vouches(hint(issued: now - UInt32(age) - 1), now: now))
        }
        #expect(CookieRenewal(idleTimeoutMilliseconds: nil).vouchingAgeSeconds == 6 * 3600)
        let short = CookieRenewal(idleTimeoutMilliseconds: 360_000)
        #expect(!short.vouches(hint(issued: 1000), now: 1000))
        #expect(short.issued(for: route(binding), hint: nil, recordLives: false, now: 1000) == 1000)
    }

    @Test("a hint of a record whose life is not known is renewed later, and counts as issued too long ago to vouch")
    func notVouching() throws {
        let now: UInt32 = 1_000_000
        func issued(_ hint: Hint?, _ provenance: Provenance = .cached) -> UInt32? {
            renewal.issued(for: route(binding, provenance), hint: hint, recordLives: false, now: now)
        }
        #expect(issued(hint(issued: now - 796)) == nil)
        let sealed = try #require(issued(hint(issued: now - 797)))
        #expect(sealed == now - 571)
        // Nor does it by a clock that is behind.
        #expect(!renewal.vouches(hint(issued: sealed), now: now - 120))
        #expect(renewal.isValid(hint(issued: sealed), now: now + 1200))
        #expect(issued(nil) == now - 571)
        let other = Hint(binding: Binding(backend: binding.backend, epoch: 1), createdAtSeconds: 0, issued: now)
        #expect(issued(other) == now - 571)
        #expect(issued(nil, .detoured) == nil)
    }
}
