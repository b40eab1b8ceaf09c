import LimpetTestKit
import Testing

@testable import Affinity

@Suite("What the models of the store answer")
struct StoreModelTests {
    @Test("The store of the decision tests answers as every store must", arguments: StoreCase.all)
    func model(_ storeCase: StoreCase) async throws {
        var store = TimedModelStore()
        let faults = try await storeCase.faults(of: &store)
        #expect(faults == [])
    }

    @Test("A simulated server answers as every store must", arguments: StoreCase.all)
    func server(_ storeCase: StoreCase) async throws {
        var store = try SimulatedStore()
        let faults = try await storeCase.faults(of: &store)
        #expect(faults == [])
        #expect(store.violation == nil)
    }

    @Test("Over a foreign value, what a create or an offer would have written is restored")
    func overForeign() {
        let fingerprint = Self.fingerprint
        let backend = BackendHash(bits: 7)
        let create = StoreOperation.create(fingerprint, backend, lifetimeMilliseconds: 9, createdAtSeconds: 5)
        let first = Binding(backend: backend, epoch: 1)
        #expect(
            create.overForeign == .restore(fingerprint, first, lifetimeMilliseconds: 9, createdAtSeconds: 5))
        let tombstone = Binding(backend: .tombstone, epoch: 3)
        let offer = StoreOperation.offer(fingerprint, tombstone, lifetimeMilliseconds: 8, createdAtSeconds: 6)
        #expect(
            offer.overForeign == .restore(fingerprint, tombstone, lifetimeMilliseconds: 8, createdAtSeconds: 6))
        let others: [StoreOperation] = [
            .restore(fingerprint, first, lifetimeMilliseconds: 9),
            .rebind(fingerprint, from: first, to: backend, lifetimeMilliseconds: 9),
            .touch(fingerprint, lifetimeMilliseconds: 9), .drop(fingerprint, above: 1, lifetimeMilliseconds: 9),
            .read(fingerprint),
        ]
        for other in others { #expect(other.overForeign == nil) }
    }

    private static let fingerprint = Fingerprint(high: 1, low: 2)
}
