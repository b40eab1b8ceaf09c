import Affinity

/// The store of the protocol's section 3 in a few lines: records with lifetimes, and commands that run one at a time.
struct ModelStore {
    enum Value: Hashable {
        case binding(Binding)
        case foreign
    }

    struct Record {
        var value: Value
        var expires: Instant
        var createdAtSeconds: UInt32?
    }

    private(set) var records: [Fingerprint: Record] = [:]
    /// Every binding written, in order.
    private(set) var written: [Binding] = []

    mutating func put(_ fingerprint: Fingerprint, _ value: Value, until expires: Instant) {
        records[fingerprint] = Record(value: value, expires: expires, createdAtSeconds: nil)
    }

    mutating func flush() { records = [:] }

    func binding(_ fingerprint: Fingerprint, now: Instant) -> Binding? {
        guard let record = records[fingerprint], record.expires > now, case .binding(let binding) = record.value else {
            return nil
        }
        return binding
    }

    func remaining(_ fingerprint: Fingerprint, now: Instant) -> Int64? {
        records[fingerprint].map { $0.expires.milliseconds(since: now) }
    }

    mutating func result(_ operation: StoreOperation, now: Instant) -> StoreResult {
        switch operation {
        case .create(let fingerprint, let backend, let lifetime, let createdAtSeconds):
            if let record = records[fingerprint], record.expires > now {
                return record.value == .foreign ? .foreign : held(fingerprint, now)
            }
            return write(fingerprint, Binding(backend: backend, epoch: 1), lifetime, createdAtSeconds, now)
        case .restore(let fingerprint, let binding, let lifetime, let createdAtSeconds):
            if let held = self.binding(fingerprint, now: now), held.epoch >= binding.epoch {
                return self.held(fingerprint, now)
            }
            return write(fingerprint, binding, lifetime, createdAtSeconds, now)
        case .rebind(let fingerprint, let from, let backend, let lifetime, let createdAtSeconds):
            if let held = self.binding(fingerprint, now: now),
                held.epoch > from.epoch || held.epoch == from.epoch && held.backend != from.backend
            {
                return self.held(fingerprint, now)
            }
            return write(fingerprint, Binding(backend: backend, epoch: from.epoch + 1), lifetime, createdAtSeconds, now)
        case .touch(let fingerprint, let lifetime):
            guard let record = records[fingerprint], record.expires > now else { return .absent }
            records[fingerprint]?.expires = now.advanced(byMilliseconds: lifetime)
            return record.value == .foreign ? .foreign : held(fingerprint, now)
        case .drop(let fingerprint, let above, let lifetime):
            drop(fingerprint, above: above, lifetime: lifetime, now: now)
            return held(fingerprint, now)
        case .read(let fingerprint):
            guard let record = records[fingerprint], record.expires > now else { return .absent }
            return held(fingerprint, now)
        }
    }

    /// An operator's drop: a tombstone one epoch up.
    mutating func drop(_ fingerprint: Fingerprint, above: UInt32 = 0, lifetime: Int64, now: Instant) {
        let epoch = max(binding(fingerprint, now: now)?.epoch ?? 0, above) + 1
        put(
            fingerprint, .binding(Binding(backend: .tombstone, epoch: epoch)),
            until: now.advanced(byMilliseconds: lifetime))
    }

    private func held(_ fingerprint: Fingerprint, _ now: Instant) -> StoreResult {
        guard let binding = binding(fingerprint, now: now), let remaining = remaining(fingerprint, now: now) else {
            return .foreign
        }
        return .record(binding, remaining: remaining, createdAtSeconds: records[fingerprint]?.createdAtSeconds)
    }

    private mutating func write(
        _ fingerprint: Fingerprint, _ binding: Binding, _ lifetime: Int64, _ createdAtSeconds: UInt32?, _ now: Instant
    ) -> StoreResult {
        records[fingerprint] = Record(
            value: .binding(binding), expires: now.advanced(byMilliseconds: lifetime), createdAtSeconds: createdAtSeconds)
        written.append(binding)
        return .written
    }
}
