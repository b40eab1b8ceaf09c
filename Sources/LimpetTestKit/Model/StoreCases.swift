import Affinity

/// The cases about writes and their results.
extension StoreCase {
    package static let all = [
        creates, offers, restores, rebinds, touches, looks, tombstones, drops, births, ends, refusals, foreigners,
        lives,
        edges,
    ].flatMap(\.self)

    static let one = BackendHash(bits: 0x1ABC_DEF1)
    static let two = BackendHash(bits: 2)
    static let three = BackendHash(bits: 3)
    static let key = fingerprint(1)
    static let other = fingerprint(2)
    static let minute: Int64 = 60_000
    static let first = Binding(backend: one, epoch: 1)

    static func fingerprint(_ number: UInt64) -> Fingerprint {
        Fingerprint(high: number &* 0x9E37_79B9_7F4A_7C15, low: number)
    }

    static func binding(_ backend: BackendHash, _ epoch: UInt32) -> Binding { Binding(backend: backend, epoch: epoch) }
    static func tombstone(_ epoch: UInt32) -> Binding { Binding(backend: .tombstone, epoch: epoch) }

    private static let creates: [StoreCase] = [
        StoreCase(
            "The first create writes, and later ones get what it wrote",
            [
                .send(.create(key, one, lifetimeMilliseconds: minute), .written),
                .send(.create(key, two, lifetimeMilliseconds: 90_000), .about(first, minute)),
                .send(.create(key, two, lifetimeMilliseconds: 1000), .exactly(first, 1000)),
                .send(.create(key, one, lifetimeMilliseconds: minute), .about(first, minute)),
            ]),
        StoreCase(
            "Of many creates in one turn exactly the first writes",
            [
                .turn(
                    (1...50 as ClosedRange<UInt32>).map { number in
                        let expected: Expectation =
                            number == 1 ? .written : .about(binding(BackendHash(bits: 1), 1), minute)
                        return (.create(key, BackendHash(bits: number), lifetimeMilliseconds: minute), expected)
                    })
            ]),
        StoreCase(
            "A create overrides no record, whatever its epoch",
            [
                .send(.restore(key, binding(one, 7), lifetimeMilliseconds: minute), .written),
                .send(.create(key, two, lifetimeMilliseconds: minute), .about(binding(one, 7), minute)),
                .send(.read(key), .about(binding(one, 7), minute)),
            ]),
        StoreCase(
            "A thousand questions in one turn are each answered for itself",
            [
                .turn(
                    (1...50 as ClosedRange<UInt32>).map { number in
                        let backend = BackendHash(bits: number)
                        return (.create(fingerprint(UInt64(number)), backend, lifetimeMilliseconds: minute), .written)
                    }),
                .turn(
                    (0..<1000).map { index in
                        let number = UInt32(index % 60 + 1)
                        let expected: Expectation =
                            number <= 50 ? .exactly(binding(BackendHash(bits: number), 1), minute) : .absent
                        return (.touch(fingerprint(UInt64(number)), lifetimeMilliseconds: minute), expected)
                    }),
            ]),
        StoreCase(
            "Whatever befalls one session, another's record stays as it is",
            [
                .send(.create(other, three, lifetimeMilliseconds: minute, createdAtSeconds: 5), .written),
                .send(.create(key, one, lifetimeMilliseconds: minute), .written),
                .send(.restore(key, binding(two, 4), lifetimeMilliseconds: minute), .written),
                .send(.rebind(key, from: binding(two, 4), to: one, lifetimeMilliseconds: minute), .written),
                .send(.touch(key, lifetimeMilliseconds: minute), .exactly(binding(one, 5), minute)),
                .send(.drop(key, above: 9, lifetimeMilliseconds: minute), .exactly(tombstone(10), minute)),
                .send(.read(other), .about(binding(three, 1), minute, createdAtSeconds: 5)),
            ]),
    ]

    private static let restores: [StoreCase] = [
        StoreCase(
            "A restore writes where there is nothing or a lower epoch, else it is told",
            [
                .send(.restore(key, binding(one, 3), lifetimeMilliseconds: minute), .written),
                .send(.restore(key, binding(one, 3), lifetimeMilliseconds: 90_000), .about(binding(one, 3), minute)),
                .send(.restore(key, binding(two, 3), lifetimeMilliseconds: minute), .about(binding(one, 3), minute)),
                .send(.restore(key, binding(two, 4), lifetimeMilliseconds: minute), .written),
                .send(.restore(key, binding(one, 3), lifetimeMilliseconds: minute), .about(binding(two, 4), minute)),
                .send(.restore(key, binding(one, 900), lifetimeMilliseconds: minute), .written),
                .send(.read(key), .about(binding(one, 900), minute)),
            ]),
        StoreCase(
            "A restore at epoch 1 overrides no record",
            [
                .send(.create(key, one, lifetimeMilliseconds: minute), .written),
                .send(.restore(key, binding(two, 1), lifetimeMilliseconds: minute), .about(first, minute)),
                .send(.read(key), .about(first, minute)),
            ]),
    ]

    private static let rebinds: [StoreCase] = [
        StoreCase(
            "A rebind is a compare-and-set, whose loser is told of the winner",
            [
                .send(.create(key, one, lifetimeMilliseconds: minute), .written),
                .turn([
                    (.rebind(key, from: first, to: two, lifetimeMilliseconds: minute), .written),
                    (
                        .rebind(key, from: first, to: three, lifetimeMilliseconds: minute),
                        .about(binding(two, 2), minute)
                    ),
                ]),
                .send(
                    .rebind(key, from: binding(three, 2), to: one, lifetimeMilliseconds: minute),
                    .about(binding(two, 2), minute)),
                .send(.read(key), .about(binding(two, 2), minute)),
            ]),
        StoreCase(
            "A rebind from an epoch that the store has lost writes",
            [
                .send(.rebind(key, from: binding(one, 5), to: two, lifetimeMilliseconds: minute), .written),
                .send(.read(key), .about(binding(two, 6), minute)),
                .send(.create(other, three, lifetimeMilliseconds: minute), .written),
                .send(.rebind(other, from: binding(one, 5), to: two, lifetimeMilliseconds: minute), .written),
                .send(.touch(other, lifetimeMilliseconds: minute), .exactly(binding(two, 6), minute)),
            ]),
        StoreCase(
            "A rebind from an epoch below the record's is told, of whichever backend",
            [
                .send(.restore(key, binding(one, 9), lifetimeMilliseconds: minute), .written),
                .send(
                    .rebind(key, from: binding(one, 8), to: two, lifetimeMilliseconds: minute),
                    .about(binding(one, 9), minute)),
                .send(
                    .rebind(key, from: binding(two, 1), to: two, lifetimeMilliseconds: minute),
                    .about(binding(one, 9), minute)),
            ]),
        StoreCase(
            "A rebind to the same backend is one epoch up",
            [
                .send(.create(key, one, lifetimeMilliseconds: minute), .written),
                .send(.rebind(key, from: first, to: one, lifetimeMilliseconds: minute), .written),
                .send(.read(key), .about(binding(one, 2), minute)),
            ]),
        StoreCase(
            "A rebind from a guess writes epoch 1 where there is nothing, else it is told",
            [
                .send(.rebind(key, from: binding(two, 0), to: one, lifetimeMilliseconds: minute), .written),
                .send(
                    .rebind(key, from: binding(one, 0), to: two, lifetimeMilliseconds: minute), .about(first, minute)),
            ]),
    ]

    private static let touches: [StoreCase] = [
        StoreCase(
            "A touch gives the whole lifetime again and says what is there, or that nothing is",
            [
                .send(.touch(key, lifetimeMilliseconds: minute), .absent),
                .send(.read(key), .absent),
                .send(.create(key, one, lifetimeMilliseconds: minute / 2), .written),
                .send(.touch(key, lifetimeMilliseconds: minute), .exactly(first, minute)),
                .send(.create(key, two, lifetimeMilliseconds: minute), .about(first, minute)),
                .send(.touch(key, lifetimeMilliseconds: minute / 2), .exactly(first, minute / 2)),
                .send(.read(key), .about(first, minute / 2)),
            ]),
        StoreCase(
            "A touch is of the record, whatever its epoch",
            [
                .send(.restore(key, binding(two, 8), lifetimeMilliseconds: minute), .written),
                .send(.touch(key, lifetimeMilliseconds: 2 * minute), .exactly(binding(two, 8), 2 * minute)),
                .send(.read(key), .about(binding(two, 8), 2 * minute)),
            ]),
    ]

    private static let looks: [StoreCase] = [
        StoreCase(
            "A look says what is there or that nothing is, and leaves it and its lifetime alone",
            [
                .send(.read(key), .absent),
                .send(.create(key, one, lifetimeMilliseconds: minute), .written),
                .send(.read(key), .about(first, minute)),
                .send(.read(key), .about(first, minute)),
                .send(.rebind(key, from: first, to: two, lifetimeMilliseconds: minute), .written),
                .send(.read(key), .about(binding(two, 2), minute)),
                // The result has the longer lifetime that the touch set, so it is the record's own lifetime.
                .send(.touch(key, lifetimeMilliseconds: 90_000), .exactly(binding(two, 2), 90_000)),
                .send(.read(key), .about(binding(two, 2), 90_000)),
                .send(.drop(key, above: 0, lifetimeMilliseconds: minute), .exactly(tombstone(3), minute)),
                .send(.read(key), .about(tombstone(3), 90_000)),
            ])
    ]

    private static let tombstones: [StoreCase] = [
        StoreCase(
            "A tombstone is a record as any other",
            [
                .send(.create(key, one, lifetimeMilliseconds: minute), .written),
                .send(.rebind(key, from: first, to: .tombstone, lifetimeMilliseconds: minute), .written),
                .send(.create(key, two, lifetimeMilliseconds: minute), .about(tombstone(2), minute)),
                .send(.restore(key, first, lifetimeMilliseconds: minute), .about(tombstone(2), minute)),
                .send(.restore(key, binding(one, 2), lifetimeMilliseconds: minute), .about(tombstone(2), minute)),
                .send(.touch(key, lifetimeMilliseconds: minute), .exactly(tombstone(2), minute)),
                .send(
                    .rebind(key, from: binding(one, 2), to: two, lifetimeMilliseconds: minute),
                    .about(tombstone(2), minute)),
                .send(.rebind(key, from: tombstone(2), to: two, lifetimeMilliseconds: minute), .written),
                .send(.read(key), .about(binding(two, 3), minute)),
            ]),
        StoreCase(
            "A tombstone is restored, and yields to a higher epoch",
            [
                .send(.restore(key, tombstone(4), lifetimeMilliseconds: minute), .written),
                .send(.read(key), .about(tombstone(4), minute)),
                .send(.restore(key, binding(one, 5), lifetimeMilliseconds: minute), .written),
                .send(.read(key), .about(binding(one, 5), minute)),
            ]),
    ]

    private static let drops: [StoreCase] = [
        StoreCase(
            "A drop leaves a tombstone above what is known, for the longer of both lifetimes",
            [
                .send(.drop(key, above: 0, lifetimeMilliseconds: minute), .exactly(tombstone(1), minute)),
                .send(.drop(key, above: 0, lifetimeMilliseconds: minute), .exactly(tombstone(2), minute)),
                .send(.restore(key, binding(one, 6), lifetimeMilliseconds: 2 * minute), .written),
                .send(.drop(key, above: 3, lifetimeMilliseconds: minute), .exactly(tombstone(7), minute)),
                .send(.create(key, two, lifetimeMilliseconds: 10 * minute), .about(tombstone(7), 2 * minute)),
                .send(.drop(key, above: 20, lifetimeMilliseconds: minute), .exactly(tombstone(21), minute)),
                .send(.drop(key, above: 21, lifetimeMilliseconds: 3 * minute), .exactly(tombstone(22), 3 * minute)),
                .send(.read(key), .about(tombstone(22), 3 * minute)),
            ]),
        StoreCase(
            "A drop has no epoch beyond the highest",
            [
                .send(.drop(key, above: Binding.epochMax, lifetimeMilliseconds: minute), .refused),
                .send(
                    .drop(key, above: Binding.epochMax - 1, lifetimeMilliseconds: minute),
                    .exactly(tombstone(Binding.epochMax), minute)),
                .send(.drop(key, above: 1, lifetimeMilliseconds: minute), .refused),
                .send(.touch(key, lifetimeMilliseconds: minute), .exactly(tombstone(Binding.epochMax), minute)),
            ]),
    ]

    private static let births: [StoreCase] = [
        StoreCase(
            "When the session began is kept with the record and told with it",
            [
                .send(.create(key, one, lifetimeMilliseconds: minute, createdAtSeconds: 7), .written),
                .send(.create(key, two, lifetimeMilliseconds: 1000), .exactly(first, 1000, createdAtSeconds: 7)),
                .send(
                    .create(key, two, lifetimeMilliseconds: 1000, createdAtSeconds: 8),
                    .exactly(first, 1000, createdAtSeconds: 7)),
                .send(.restore(key, first, lifetimeMilliseconds: 1000), .exactly(first, 1000, createdAtSeconds: 7)),
                .send(
                    .rebind(key, from: binding(two, 1), to: two, lifetimeMilliseconds: 1000),
                    .exactly(first, 1000, createdAtSeconds: 7)),
                .send(.touch(key, lifetimeMilliseconds: minute), .exactly(first, minute, createdAtSeconds: 7)),
                .send(.read(key), .about(first, minute, createdAtSeconds: 7)),
                .send(
                    .rebind(key, from: first, to: two, lifetimeMilliseconds: minute, createdAtSeconds: .max), .written),
                .send(
                    .touch(key, lifetimeMilliseconds: minute), .exactly(binding(two, 2), minute, createdAtSeconds: .max)
                ),
                .send(.restore(key, binding(one, 3), lifetimeMilliseconds: minute, createdAtSeconds: 1), .written),
                .send(
                    .touch(key, lifetimeMilliseconds: minute), .exactly(binding(one, 3), minute, createdAtSeconds: 1)),
                .send(.restore(key, binding(one, 3), lifetimeMilliseconds: minute, createdAtSeconds: 0), .refused),
                .send(.drop(key, above: 0, lifetimeMilliseconds: minute), .exactly(tombstone(4), minute)),
                .send(.touch(key, lifetimeMilliseconds: minute), .exactly(tombstone(4), minute)),
            ]),
        StoreCase(
            "A write says when the session began, or that it does not end by age",
            [
                .send(.create(key, one, lifetimeMilliseconds: minute, createdAtSeconds: 7), .written),
                .send(.rebind(key, from: first, to: two, lifetimeMilliseconds: minute), .written),
                .send(.read(key), .about(binding(two, 2), minute)),
                .send(.restore(key, binding(one, 3), lifetimeMilliseconds: minute, createdAtSeconds: 9), .written),
                .send(.restore(key, binding(one, 4), lifetimeMilliseconds: minute), .written),
                .send(.read(key), .about(binding(one, 4), minute)),
            ]),
        StoreCase(
            "A rebind compares the binding, not when the session began",
            [
                .send(.create(key, one, lifetimeMilliseconds: minute, createdAtSeconds: 7), .written),
                .send(.rebind(key, from: first, to: two, lifetimeMilliseconds: minute, createdAtSeconds: 8), .written),
                .send(.read(key), .about(binding(two, 2), minute, createdAtSeconds: 8)),
            ]),
    ]

    private static let ends: [StoreCase] = [
        StoreCase(
            "The highest epoch is written, and none above it ever is",
            [
                .send(.restore(key, binding(two, Binding.epochMax - 1), lifetimeMilliseconds: minute), .written),
                .send(
                    .rebind(key, from: binding(two, Binding.epochMax - 1), to: one, lifetimeMilliseconds: minute),
                    .written),
                .send(.touch(key, lifetimeMilliseconds: minute), .exactly(binding(one, Binding.epochMax), minute)),
                .send(
                    .rebind(key, from: binding(one, Binding.epochMax), to: two, lifetimeMilliseconds: minute), .refused),
                .send(.restore(key, binding(one, Binding.epochMax + 1), lifetimeMilliseconds: minute), .refused),
                .send(.touch(key, lifetimeMilliseconds: minute), .exactly(binding(one, Binding.epochMax), minute)),
            ])
    ]

    private static let refusals: [StoreCase] = [
        StoreCase(
            "A guess is never written, nor anything without a lifetime",
            [
                .turn([
                    (.restore(key, binding(one, 0), lifetimeMilliseconds: minute), .refused),
                    (.create(key, one, lifetimeMilliseconds: 0), .refused),
                    (.create(key, one, lifetimeMilliseconds: -1), .refused),
                    (.restore(key, binding(one, 2), lifetimeMilliseconds: 0), .refused),
                    (.rebind(key, from: first, to: two, lifetimeMilliseconds: 0), .refused),
                    (.drop(key, above: 1, lifetimeMilliseconds: 0), .refused),
                    (.create(key, one, lifetimeMilliseconds: minute, createdAtSeconds: 0), .refused),
                    (.rebind(key, from: first, to: two, lifetimeMilliseconds: minute, createdAtSeconds: 0), .refused),
                ]),
                .send(.touch(key, lifetimeMilliseconds: minute), .absent),
            ]),
        StoreCase(
            "What is refused leaves a record as it is",
            [
                .send(.create(key, one, lifetimeMilliseconds: minute), .written),
                .send(.touch(key, lifetimeMilliseconds: 0), .refused),
                .send(.drop(key, above: 0, lifetimeMilliseconds: 0), .refused),
                .send(.rebind(key, from: first, to: two, lifetimeMilliseconds: 0), .refused),
                .send(.read(key), .about(first, minute)),
            ]),
    ]
}
