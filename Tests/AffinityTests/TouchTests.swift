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
}
