import Affinity

/// The cases about lifetimes, and about foreign values.
extension StoreCase {
    /// Expires within `wait`, even with a real clock on a slow machine.
    private static let short: Int64 = 150
    private static let wait = Step.pass(milliseconds: 300)

    static let lives: [StoreCase] = expiries + lifetimes

    private static let expiries: [StoreCase] = [
        StoreCase(
            "A record ends with its lifetime, and epochs begin anew",
            [
                .send(.create(key, one, lifetimeMilliseconds: short), .written),
                .send(.rebind(key, from: first, to: two, lifetimeMilliseconds: short), .written), wait,
                .send(.read(key), .absent),
                .send(.touch(key, lifetimeMilliseconds: minute), .absent),
                .send(.create(key, three, lifetimeMilliseconds: minute), .written),
                .send(.read(key), .about(binding(three, 1), minute)),
            ]),
        StoreCase(
            "Over an expired record a restore and a rebind write whatever their epoch",
            [
                .turn([
                    (.restore(key, binding(one, 5), lifetimeMilliseconds: short), .written),
                    (.restore(other, binding(one, 5), lifetimeMilliseconds: short), .written),
                ]), wait,
                .send(.restore(key, binding(two, 3), lifetimeMilliseconds: minute), .written),
                .send(.read(key), .about(binding(two, 3), minute)),
                .send(.rebind(other, from: binding(three, 2), to: two, lifetimeMilliseconds: minute), .written),
                .send(.read(other), .about(binding(two, 3), minute)),
            ]),
        StoreCase(
            "A drop knows no more of an expired record",
            [
                .send(.restore(key, binding(one, 5), lifetimeMilliseconds: short), .written), wait,
                .send(.drop(key, above: 0, lifetimeMilliseconds: minute), .exactly(tombstone(1), minute)),
                .send(.read(key), .about(tombstone(1), minute)),
            ]),
        StoreCase(
            "A tombstone ends, too",
            [
                .send(.drop(key, above: 3, lifetimeMilliseconds: short), .exactly(tombstone(4), short)), wait,
                .send(.create(key, one, lifetimeMilliseconds: minute), .written),
                .send(.read(key), .about(first, minute)),
            ]),
        StoreCase(
            "A session that begins anew says when",
            [
                .send(.create(key, one, lifetimeMilliseconds: short, createdAtSeconds: 7), .written), wait,
                .send(.create(key, two, lifetimeMilliseconds: minute, createdAtSeconds: 9), .written),
                .send(.read(key), .about(binding(two, 1), minute, createdAtSeconds: 9)),
            ]),
    ]

    private static let lifetimes: [StoreCase] = [
        StoreCase(
            "A look keeps nothing alive",
            [
                .turn([(.create(key, one, lifetimeMilliseconds: short), .written), (.read(key), .about(first, short))]),
                wait,
                .send(.read(key), .absent),
            ]),
        StoreCase(
            "A touch lengthens a record's life and shortens it",
            [
                .turn([
                    (.create(key, one, lifetimeMilliseconds: short), .written),
                    (.touch(key, lifetimeMilliseconds: minute), .exactly(first, minute)),
                    (.create(other, two, lifetimeMilliseconds: minute), .written),
                    (.touch(other, lifetimeMilliseconds: short), .exactly(binding(two, 1), short)),
                ]), wait,
                .send(.read(key), .about(first, minute - 300)),
                .send(.read(other), .absent),
            ]),
        StoreCase(
            "A write that loses leaves the record its lifetime",
            [
                .turn([
                    (.restore(key, binding(one, 2), lifetimeMilliseconds: short), .written),
                    (.create(key, two, lifetimeMilliseconds: minute), .about(binding(one, 2), short)),
                    (.restore(key, binding(two, 2), lifetimeMilliseconds: minute), .about(binding(one, 2), short)),
                    (.rebind(key, from: first, to: two, lifetimeMilliseconds: minute), .about(binding(one, 2), short)),
                ]), wait,
                .send(.read(key), .absent),
            ]),
        StoreCase(
            "A write that loses shortens no lifetime",
            [
                .turn([
                    (.restore(key, binding(one, 2), lifetimeMilliseconds: minute), .written),
                    (.create(key, two, lifetimeMilliseconds: short), .exactly(binding(one, 2), short)),
                    (.restore(key, binding(two, 2), lifetimeMilliseconds: short), .exactly(binding(one, 2), short)),
                    (.rebind(key, from: first, to: two, lifetimeMilliseconds: short), .exactly(binding(one, 2), short)),
                ]), wait,
                .send(.read(key), .about(binding(one, 2), minute - 300)),
            ]),
        StoreCase(
            "A write sets the lifetime, also a shorter one",
            [
                .turn([
                    (.create(key, one, lifetimeMilliseconds: minute), .written),
                    (.rebind(key, from: first, to: two, lifetimeMilliseconds: short), .written),
                    (.create(other, one, lifetimeMilliseconds: minute), .written),
                    (.restore(other, binding(two, 2), lifetimeMilliseconds: short), .written),
                ]), wait,
                .send(.read(key), .absent),
                .send(.read(other), .absent),
            ]),
        StoreCase(
            "A write sets the lifetime, also a longer one",
            [
                .turn([
                    (.create(key, one, lifetimeMilliseconds: short), .written),
                    (.rebind(key, from: first, to: two, lifetimeMilliseconds: minute), .written),
                    (.create(other, one, lifetimeMilliseconds: short), .written),
                    (.restore(other, binding(two, 2), lifetimeMilliseconds: minute), .written),
                ]), wait,
                .send(.read(key), .about(binding(two, 2), minute - 300)),
                .send(.read(other), .about(binding(two, 2), minute - 300)),
            ]),
        StoreCase(
            "A tombstone lives as long as the record would have, and as long as it was told to",
            [
                .turn([
                    (.create(key, one, lifetimeMilliseconds: minute), .written),
                    (.drop(key, above: 0, lifetimeMilliseconds: short), .exactly(tombstone(2), short)),
                    (.create(other, one, lifetimeMilliseconds: short), .written),
                    (.drop(other, above: 0, lifetimeMilliseconds: minute), .exactly(tombstone(2), minute)),
                ]), wait,
                .send(.read(key), .about(tombstone(2), minute - 300)),
                .send(.read(other), .about(tombstone(2), minute - 300)),
            ]),
    ]

    /// Only with a clock that the test controls.
    static let edges: [StoreCase] = [
        StoreCase(
            "A record lives until its last millisecond is over, and no longer", isExact: true,
            [
                .send(.create(key, one, lifetimeMilliseconds: 100), .written), .pass(milliseconds: 99),
                .send(.create(key, two, lifetimeMilliseconds: 100), .exactly(first, 1)),
                .send(.read(key), .exactly(first, 1)), .pass(milliseconds: 1),
                .send(.read(key), .absent),
                .send(.touch(key, lifetimeMilliseconds: 100), .absent),
                .send(.create(key, two, lifetimeMilliseconds: 100), .written),
            ]),
        StoreCase(
            "A life counts from the last touch", isExact: true,
            [
                .send(.create(key, one, lifetimeMilliseconds: 100), .written), .pass(milliseconds: 60),
                .send(.touch(key, lifetimeMilliseconds: 100), .exactly(first, 100)), .pass(milliseconds: 60),
                .send(.read(key), .exactly(first, 40)), .pass(milliseconds: 40),
                .send(.read(key), .absent),
            ]),
    ]

    static let foreigners: [StoreCase] = [
        StoreCase(
            "What Limpet would not write is foreign to a create, a touch and a look",
            [
                .foreign(key, lifetimeMilliseconds: minute),
                .send(.create(key, one, lifetimeMilliseconds: minute), .foreign),
                .send(.touch(key, lifetimeMilliseconds: minute), .foreign),
                .send(.read(key), .foreign),
            ]),
        StoreCase(
            "A restore and a rebind replace what Limpet would not write, whatever their epoch",
            [
                .foreign(key, lifetimeMilliseconds: minute),
                .send(.restore(key, first, lifetimeMilliseconds: 2 * minute), .written),
                .send(.read(key), .about(first, 2 * minute)),
                .foreign(other, lifetimeMilliseconds: minute),
                .send(.rebind(other, from: binding(one, 0), to: two, lifetimeMilliseconds: 2 * minute), .written),
                .send(.read(other), .about(binding(two, 1), 2 * minute)),
            ]),
        StoreCase(
            "A drop replaces what Limpet would not write, whose lifetime does not count",
            [
                .foreign(key, lifetimeMilliseconds: 10 * minute),
                .send(.drop(key, above: 0, lifetimeMilliseconds: minute), .exactly(tombstone(1), minute)),
                .send(.read(key), .about(tombstone(1), minute)),
                .foreign(other, lifetimeMilliseconds: minute),
                .send(.drop(other, above: 6, lifetimeMilliseconds: minute), .exactly(tombstone(7), minute)),
            ]),
        StoreCase(
            "What Limpet would not write ends with its lifetime, which a touch sets",
            [
                .foreign(key, lifetimeMilliseconds: minute),
                .send(.touch(key, lifetimeMilliseconds: short), .foreign),
                .foreign(other, lifetimeMilliseconds: short), wait,
                .send(.read(key), .absent),
                .send(.create(other, one, lifetimeMilliseconds: minute), .written),
            ]),
        StoreCase(
            "A touch keeps alive what Limpet would not write", isExact: true,
            [
                .foreign(key, lifetimeMilliseconds: 100), .pass(milliseconds: 60),
                .send(.touch(key, lifetimeMilliseconds: 100), .foreign), .pass(milliseconds: 60),
                .send(.read(key), .foreign), .pass(milliseconds: 40),
                .send(.read(key), .absent),
            ]),
    ]
}
