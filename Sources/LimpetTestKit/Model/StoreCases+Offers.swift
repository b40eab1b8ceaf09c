import Affinity

/// The cases about offers.
extension StoreCase {
    static let offers: [StoreCase] = [
        StoreCase(
            "An offer writes over nothing, at its own epoch and with its own lifetime",
            [
                .send(.offer(key, binding(one, 7), lifetimeMilliseconds: minute), .written),
                .send(.read(key), .about(binding(one, 7), minute)),
                .send(.offer(other, first, lifetimeMilliseconds: minute, createdAtSeconds: 7), .written),
                .send(.touch(other, lifetimeMilliseconds: minute), .exactly(first, minute, createdAtSeconds: 7)),
            ]),
        StoreCase(
            "An offer overrides no record, of a lower, an equal or a higher epoch, and leaves its lifetime alone",
            [
                .send(.restore(key, binding(one, 3), lifetimeMilliseconds: minute, createdAtSeconds: 7), .written),
                .turn([
                    (
                        .offer(key, binding(two, 4), lifetimeMilliseconds: 2 * minute),
                        .about(binding(one, 3), minute, createdAtSeconds: 7)
                    ),
                    (
                        .offer(key, binding(one, 3), lifetimeMilliseconds: 2 * minute, createdAtSeconds: 8),
                        .about(binding(one, 3), minute, createdAtSeconds: 7)
                    ),
                    (
                        .offer(key, binding(two, 2), lifetimeMilliseconds: 1000),
                        .exactly(binding(one, 3), 1000, createdAtSeconds: 7)
                    ),
                    (
                        .offer(key, tombstone(9), lifetimeMilliseconds: 2 * minute),
                        .about(binding(one, 3), minute, createdAtSeconds: 7)
                    ),
                ]),
                .send(.read(key), .about(binding(one, 3), minute, createdAtSeconds: 7)),
            ]),
        StoreCase(
            "A tombstone is offered as any other record, and yields to no offer",
            [
                .send(.offer(key, tombstone(1), lifetimeMilliseconds: minute), .written),
                .send(.offer(key, binding(one, 2), lifetimeMilliseconds: minute), .about(tombstone(1), minute)),
                .send(.drop(key, above: 4, lifetimeMilliseconds: minute), .exactly(tombstone(5), minute)),
                .send(.offer(key, binding(one, 9), lifetimeMilliseconds: minute), .about(tombstone(5), minute)),
                .send(.read(key), .about(tombstone(5), minute)),
            ]),
        StoreCase(
            "Of many offers in one turn exactly the first writes",
            [
                .turn(
                    (1...50 as ClosedRange<UInt32>).map { number in
                        let offered = binding(two, number)
                        return (
                            .offer(key, offered, lifetimeMilliseconds: minute),
                            number == 1 ? .written : .about(binding(two, 1), minute)
                        )
                    })
            ]),
        StoreCase(
            "No guess is offered, no epoch above the highest, and nothing without a lifetime",
            [
                .turn([
                    (.offer(key, binding(one, 0), lifetimeMilliseconds: minute), .refused),
                    (.offer(key, tombstone(0), lifetimeMilliseconds: minute), .refused),
                    (.offer(key, binding(one, Binding.epochMax + 1), lifetimeMilliseconds: minute), .refused),
                    (.offer(key, first, lifetimeMilliseconds: 0), .refused),
                    (.offer(key, first, lifetimeMilliseconds: minute, createdAtSeconds: 0), .refused),
                    (.offer(key, binding(one, Binding.epochMax), lifetimeMilliseconds: minute), .written),
                ]),
                .send(.read(key), .about(binding(one, Binding.epochMax), minute)),
            ]),
        StoreCase(
            "An offer over an expired record writes, whatever its epoch", isExact: true,
            [
                .send(.restore(key, binding(one, 5), lifetimeMilliseconds: 100), .written), .pass(milliseconds: 99),
                .send(.offer(key, binding(two, 2), lifetimeMilliseconds: minute), .exactly(binding(one, 5), 1)),
                .pass(milliseconds: 1),
                .send(.offer(key, binding(two, 2), lifetimeMilliseconds: minute), .written),
                .send(.read(key), .exactly(binding(two, 2), minute)),
            ]),
        StoreCase(
            "What Limpet would not write is foreign to an offer",
            [
                .foreign(key, lifetimeMilliseconds: minute),
                .send(.offer(key, binding(one, 4), lifetimeMilliseconds: minute), .foreign),
                .send(.read(key), .foreign),
            ]),
    ]
}
