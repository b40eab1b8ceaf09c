import LimpetTestKit
import Testing

@testable import Affinity

@Suite("Touches")
struct TouchTests {
    let fingerprint = Fingerprint(high: 1, low: 2)

    private func bound() throws -> Fleet {
        var fleet = try Fleet(replicas: 2)
        fleet.hold(fingerprint, fleet.binding(3, 2))
        fleet.know(fingerprint, fleet.binding(3, 2), .confirmed)
        return fleet
    }

    private func touch(_ fleet: Fleet) -> StoreOperation {
        .touch(fingerprint, lifetimeMilliseconds: fleet.settings.recordLifetimeMilliseconds)
    }

    @Test("a touch is due when less than 3/4 of the lifetime remains, and no more once it is answered")
    func due() throws {
        var fleet = try bound()
        fleet.pass(fleet.settings.recordLifetimeMilliseconds / 4 - 1000)
        #expect(fleet.serve(fingerprint).route?.touch == nil)
        fleet.pass(2000)
        let route = try #require(fleet.serve(fingerprint).route)
        #expect(route.touch == touch(fleet))
        #expect(route.provenance == .cached)
        #expect(fleet.serve(fingerprint).route?.touch == nil)
        let result = fleet.store.result(touch(fleet), now: fleet.now)
        #expect(fleet.storeAnsweredInBackground(result, to: touch(fleet)) == nil)
        #expect(fleet.entry(fingerprint)?.touches == 0)
        fleet.pass(fleet.settings.recordLifetimeMilliseconds / 4 - 1000)
        #expect(fleet.serve(fingerprint).route?.touch == nil)
    }

    @Test("while a touch is under way no other is asked, though the store confirms the binding again and again")
    func underWay() throws {
        var fleet = try bound()
        fleet.pass(fleet.settings.recordLifetimeMilliseconds * 7 / 20)
        #expect(fleet.serve(fingerprint).route?.touch != nil)
        for _ in 0..<20 {
            fleet.pass(1500)
            fleet.setChannel(live: true, isNew: true)
            let route = try #require(fleet.serve(fingerprint).route)
            #expect(route.provenance == .stored && route.touch == nil)
        }
    }

    @Test("I12: at most 4 touches in a lifetime, whether they are answered or not", arguments: [true, false])
    func budgetMilliseconds(answered: Bool) throws {
        var fleet = try bound()
        var touches = 0
        let step: Int64 = 20_000
        for _ in 0..<(fleet.settings.recordLifetimeMilliseconds / step) {
            fleet.pass(step)
            guard let operation = fleet.serve(fingerprint).route?.touch else { continue }
            touches += 1
            if answered {
                _ = fleet.storeAnsweredInBackground(fleet.store.result(operation, now: fleet.now), to: operation)
            } else {
                _ = fleet.storeAnsweredInBackground(.unavailable(.late), to: operation)
            }
        }
        #expect(touches >= 3 && touches <= 4, "\(touches)")
    }

    @Test("I15: a session active every idle timeout never loses its binding")
    func keptAlive() throws {
        var fleet = try bound()
        for _ in 0..<20 {
            fleet.pass(fleet.settings.idleTimeoutMilliseconds - 1000)
            let route = try #require(fleet.serve(fingerprint).route)
            #expect(route.backend == 3 && route.binding.epoch == 2)
            if let operation = route.touch {
                _ = fleet.storeAnsweredInBackground(fleet.store.result(operation, now: fleet.now), to: operation)
            }
        }
    }

    @Test("no touch without the store, nor for what the store has not confirmed")
    func none() throws {
        var fleet = try bound()
        fleet.pass(fleet.settings.recordLifetimeMilliseconds / 2)
        fleet.storeIsAvailable = false
        #expect(fleet.serve(fingerprint).route?.touch == nil)
        fleet.storeIsAvailable = true
        #expect(fleet.serve(Fingerprint(high: 5, low: 5), isNew: true).route?.touch == nil)
    }

    @Test(
        "a touch that finds nothing restores the binding: create at epoch 1, restore above",
        arguments: [1, 2] as [UInt32])
    func absent(epoch: UInt32) throws {
        var fleet = try Fleet()
        fleet.know(fingerprint, fleet.binding(3, epoch), .confirmed)
        let next = fleet.storeAnsweredInBackground(.absent, to: touch(fleet))
        let lifetimeMilliseconds = fleet.settings.recordLifetimeMilliseconds
        #expect(
            next
                == (epoch == 1
                    ? .create(fingerprint, fleet.backend(3), lifetimeMilliseconds: lifetimeMilliseconds)
                    : .restore(fingerprint, fleet.binding(3, 2), lifetimeMilliseconds: lifetimeMilliseconds)))
        let operation = try #require(next)
        #expect(fleet.storeAnsweredInBackground(.written, to: operation) == nil)
        #expect(fleet.storeAnsweredInBackground(.absent, to: operation) == nil)
    }

    @Test("a touch that finds a foreign value restores the binding, at epoch 1 too")
    func foreign() throws {
        var fleet = try Fleet()
        fleet.know(fingerprint, fleet.binding(3, 1), .confirmed)
        #expect(
            fleet.storeAnsweredInBackground(.foreign, to: touch(fleet))
                == .restore(
                    fingerprint, fleet.binding(3, 1), lifetimeMilliseconds: fleet.settings.recordLifetimeMilliseconds))
    }

    @Test("a touch that finds a lower epoch restores, one that finds a higher adopts")
    func lowerAndHigher() throws {
        var fleet = try bound()
        #expect(
            fleet.storeAnsweredInBackground(.record(fleet.binding(1, 1), remainingMilliseconds: 9000), to: touch(fleet))
                == .restore(
                    fingerprint, fleet.binding(3, 2), lifetimeMilliseconds: fleet.settings.recordLifetimeMilliseconds))
        #expect(fleet.entry(fingerprint)?.binding == fleet.binding(3, 2))
        #expect(
            fleet.storeAnsweredInBackground(.record(fleet.binding(1, 3), remainingMilliseconds: 9000), to: touch(fleet))
                == nil)
        #expect(fleet.entry(fingerprint)?.binding == fleet.binding(1, 3))
    }

    @Test("a touch that finds another backend: at epoch 1 ours by rebind, above the store's")
    func other() throws {
        var fleet = try Fleet()
        fleet.know(fingerprint, fleet.binding(3, 1), .confirmed)
        #expect(
            fleet.storeAnsweredInBackground(.record(fleet.binding(1, 1), remainingMilliseconds: 9000), to: touch(fleet))
                == .rebind(
                    fingerprint, from: fleet.binding(1, 1), to: fleet.backend(3),
                    lifetimeMilliseconds: fleet.settings.recordLifetimeMilliseconds))
        var above = try bound()
        #expect(
            above.storeAnsweredInBackground(.record(above.binding(1, 2), remainingMilliseconds: 9000), to: touch(above))
                == nil)
        #expect(above.entry(fingerprint)?.binding == above.binding(1, 2))
    }

    @Test("a touch that finds a tombstone adopts it, and the next request moves off it")
    func tombstone() throws {
        var fleet = try bound()
        let grave = Binding(backend: .tombstone, epoch: 3)
        fleet.hold(fingerprint, grave)
        #expect(fleet.storeAnsweredInBackground(.record(grave, remainingMilliseconds: 9000), to: touch(fleet)) == nil)
        #expect(fleet.serve(fingerprint).route?.binding.epoch == 4)
    }

    @Test("an unanswered touch changes nothing", arguments: StoreFailure.allCases)
    func unavailable(failure: StoreFailure) throws {
        var fleet = try bound()
        let before = fleet.entry(fingerprint)
        #expect(fleet.storeAnsweredInBackground(.unavailable(failure), to: touch(fleet)) == nil)
        #expect(fleet.entry(fingerprint) == before)
    }

    // MARK: One touch for all

    /// Serves a request with the affinity cookie at a replica, and returns its touch and what the response sets.
    private func serve(
        _ fleet: inout Fleet, _ hint: Hint?, replica: Int, renewal: CookieRenewal, isAnswered: Bool = true
    ) throws -> (touch: StoreOperation?, hint: Hint?) {
        let wall = UInt32((Fleet.wallOrigin + fleet.now.nanoseconds) / 1_000_000_000)
        let vouches = hint.map { renewal.vouches($0, now: wall) } ?? false
        var decision = Decision(fingerprint: fingerprint, hint: hint, hintVouches: vouches)
        let step = fleet.begin(&decision, replica: replica)
        let route = try #require(fleet.finish(&decision, step, replica: replica).route)
        if let touch = route.touch {
            let result = isAnswered ? fleet.store.result(touch, now: fleet.now) : .unavailable(.late)
            _ = fleet.storeAnsweredInBackground(result, to: touch, replica: replica)
        }
        let issued = renewal.issued(
            for: route, hint: hint,
            recordLives: fleet.replicas[replica].recordLives(
                forMilliseconds: renewal.vouchedLifeMilliseconds, fingerprint, route.binding, now: fleet.now),
            now: wall)
        return (route.touch, issued.map { Hint(binding: route.binding, createdAtSeconds: 0, issued: $0) })
    }

    /// A session that ten replicas know.
    private func known() throws -> (Fleet, CookieRenewal) {
        var fleet = try Fleet(replicas: 10)
        fleet.hold(fingerprint, fleet.binding(3, 2))
        for replica in 0..<10 { fleet.know(fingerprint, fleet.binding(3, 2), .confirmed, replica: replica) }
        return (fleet, CookieRenewal(idleTimeoutMilliseconds: fleet.settings.idleTimeoutMilliseconds))
    }

    @Test("a session that goes round ten replicas with our cookie is touched by one at a time, not by each")
    func oneForAll() throws {
        var (fleet, renewal) = try known()
        func touches(withCookie: Bool) throws -> Int {
            (fleet, renewal) = try known()
            var hint: Hint?
            var touches = 0
            for turn in 0..<800 {
                fleet.pass(10_000)
                let served = try serve(
                    &fleet, withCookie ? hint : nil, replica: turn % 10, renewal: renewal)
                if served.touch != nil { touches += 1 }
                hint = served.hint ?? hint
                guard case .record(let record) = fleet.store.result(.read(fingerprint), now: fleet.now) else {
                    Issue.record("the record has expired")
                    return touches
                }
                #expect(record.remainingMilliseconds >= fleet.settings.idleTimeoutMilliseconds)
            }
            return touches
        }
        // In 8,000 s: one each 442 to 600 s, or each replica each 600 s.
        let (cookie, header) = (try touches(withCookie: true), try touches(withCookie: false))
        #expect((13...19).contains(cookie), "\(cookie)")
        #expect(header >= 130, "\(header)")
    }

    @Test("the touch that went along with a cookie fails: the cookie does not vouch, and the next replica touches")
    func failedTouch() throws {
        var (fleet, renewal) = try known()
        fleet.pass(700_000)
        let failed = try serve(&fleet, nil, replica: 0, renewal: renewal, isAnswered: false)
        #expect(failed.touch != nil)
        let hint = try #require(failed.hint)
        fleet.pass(1000)
        #expect(try serve(&fleet, hint, replica: 1, renewal: renewal).touch != nil)
        let good = try #require(try serve(&fleet, hint, replica: 1, renewal: renewal).hint)
        #expect(try serve(&fleet, good, replica: 2, renewal: renewal).touch == nil)
        #expect(try serve(&fleet, nil, replica: 3, renewal: renewal).touch != nil)
    }

    @Test("a hint vouches for the record of its own binding only")
    func otherBinding() throws {
        var (fleet, renewal) = try known()
        fleet.pass(700_000)
        let wall = UInt32((Fleet.wallOrigin + fleet.now.nanoseconds) / 1_000_000_000)
        let older = Hint(binding: fleet.binding(3, 1), createdAtSeconds: 0, issued: wall)
        #expect(try serve(&fleet, older, replica: 0, renewal: renewal).touch != nil)
        let own = Hint(binding: fleet.binding(3, 2), createdAtSeconds: 0, issued: wall)
        #expect(try serve(&fleet, own, replica: 1, renewal: renewal).touch == nil)
    }

    @Test("a tunnel touches, whatever the hint was that opened it")
    func tunnel() throws {
        var (fleet, renewal) = try known()
        fleet.pass(700_000)
        let wall = UInt32((Fleet.wallOrigin + fleet.now.nanoseconds) / 1_000_000_000)
        let hint = Hint(binding: fleet.binding(3, 2), createdAtSeconds: 0, issued: wall)
        #expect(try serve(&fleet, hint, replica: 0, renewal: renewal).touch == nil)
        let now = fleet.now
        #expect(fleet.replicas[0].touchInUse(fingerprint, storeIsAvailable: true, now: now) != nil)
    }

    @Test("a session that ends by age before is known to live long enough if a touch would gain nothing")
    func livesToItsEnd() throws {
        let settings = AffinitySettings(idleTimeoutMilliseconds: 1_800_000, absoluteTimeoutMilliseconds: 2_000_000)
        let fleet = try Fleet(settings: settings)
        let wall = UInt32((Fleet.wallOrigin + fleet.now.nanoseconds) / 1_000_000_000)
        func lives(_ remainingMilliseconds: Int64) -> Bool {
            fleet.replicas[0].cache.remove(fingerprint)
            fleet.replicas[0].cache.store(
                BindingCache.Entry(
                    binding: fleet.binding(3, 2), kind: .confirmed, confirmedAt: fleet.now,
                    expiresAt: fleet.now.advanced(byMilliseconds: remainingMilliseconds), createdAtSeconds: wall),
                for: fingerprint, now: fleet.now)
            return fleet.replicas[0].recordLives(
                forMilliseconds: 2_371_000, fingerprint, fleet.binding(3, 2), now: fleet.now)
        }
        #expect(lives(1_900_000))
        #expect(!lives(1_800_000))
    }

    @Test("what is suspect, unconfirmed or of another binding is not known to live")
    func recordLives() throws {
        var fleet = try bound()
        let settings = fleet.settings
        func lives(_ milliseconds: Int64, _ binding: Binding) -> Bool {
            fleet.replicas[0].recordLives(forMilliseconds: milliseconds, fingerprint, binding, now: fleet.now)
        }
        #expect(lives(settings.recordLifetimeMilliseconds - 100, fleet.binding(3, 2)))
        #expect(!lives(settings.recordLifetimeMilliseconds + 1, fleet.binding(3, 2)))
        #expect(!lives(1, fleet.binding(3, 1)))
        for kind in [BindingCache.Kind.dirty, .guess] {
            fleet.replicas[0].cache.remove(fingerprint)
            fleet.know(fingerprint, fleet.binding(3, 2), kind)
            #expect(!lives(1, fleet.binding(3, 2)))
        }
        fleet.replicas[0].cache.remove(fingerprint)
        fleet.know(fingerprint, fleet.binding(3, 2), .confirmed, isStandby: true)
        #expect(!lives(1, fleet.binding(3, 2)))
    }
}
