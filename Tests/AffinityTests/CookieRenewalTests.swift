import Testing

@testable import Affinity

@Suite("Hints and the renewal of our cookie")
struct CookieRenewalTests {
    let binding = Binding(backend: BackendHash(bits: 5), epoch: 2)
    let renewal = CookieRenewal(idleTimeoutMilliseconds: 1_800_000)

    private func hint(issued: UInt32) -> Hint { Hint(binding: binding, createdAtSeconds: 0, issued: issued) }
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
        "the cookie goes out when the session is new, the binding changed, or the hint is older than a quarter of its validity"
    )
    func due() {
        let now: UInt32 = 1_000_000
        #expect(renewal.isDue(for: route(binding, .placed), hint: nil, now: now))
        #expect(!renewal.isDue(for: route(binding), hint: hint(issued: now), now: now))
        #expect(!renewal.isDue(for: route(binding), hint: hint(issued: now - 450), now: now))
        #expect(renewal.isDue(for: route(binding), hint: hint(issued: now - 451), now: now))
        #expect(!renewal.isDue(for: route(binding), hint: hint(issued: now + 100), now: now))
        let moved = Binding(backend: binding.backend, epoch: 3)
        #expect(renewal.isDue(for: route(moved, .rebound), hint: hint(issued: now), now: now))
        let nextChoice = Binding(backend: BackendHash(bits: 6), epoch: 2)
        #expect(renewal.isDue(for: route(nextChoice, .stored), hint: hint(issued: now), now: now))
    }

    @Test("a cookie that the browser drops sooner than the hint ends is renewed within a quarter of its Max-Age")
    func maxAge() {
        let now: UInt32 = 1_000_000
        for (maxAge, fresh, due) in [(3600, 900, 901), (3, 0, 1), (1, 0, 1), (86_400, 450, 451), (0, 450, 451)]
            as [(Int, UInt32, UInt32)]
        {
            let renewal = CookieRenewal(
                idleTimeoutMilliseconds: 1_800_000 * (maxAge == 3600 ? 48 : 1), cookieMaxAge: maxAge)
            #expect(!renewal.isDue(for: route(binding), hint: hint(issued: now - fresh), now: now), "Max-Age \(maxAge)")
            #expect(renewal.isDue(for: route(binding), hint: hint(issued: now - due), now: now), "Max-Age \(maxAge)")
        }
        // What a client sends back counts for as long as it did: Max-Age is between the browser and its disk.
        let short = CookieRenewal(idleTimeoutMilliseconds: 1_800_000, cookieMaxAge: 60)
        #expect(short.validitySeconds == 1800 && short.isValid(hint(issued: now - 1800), now: now))
    }

    @Test("a detour renews nothing")
    func detour() {
        #expect(!renewal.isDue(for: route(binding, .detoured), hint: nil, now: 5000))
        #expect(!renewal.isDue(for: route(binding, .detoured), hint: hint(issued: 0), now: 5000))
    }
}
