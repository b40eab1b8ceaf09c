import LimpetTestKit
import Testing

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
}
