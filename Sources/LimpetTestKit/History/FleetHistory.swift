/// What all replicas of a fleet did, for comparison with the promises of the affinity protocol. Pure.
package struct FleetHistory: Sendable {
    /// A period in which the store was not available to all replicas, from the first error until all replicas are known
    /// to have recovered.
    package struct Outage: Sendable {
        /// In seconds since 1970.
        package let begin: Double
        package let end: Double
        /// Whether the store lost records during the outage: epochs may then start again.
        package let losesRecords: Bool

        package init(begin: Double, end: Double, losesRecords: Bool = false) {
            (self.begin, self.end, self.losesRecords) = (begin, end, losesRecords)
        }

        /// Whether the request may have been decided during the outage.
        func touches(_ request: RoutedRequest) -> Bool { request.start <= end && request.end >= begin }
    }

    /// A violation of a rule, with its evidence.
    package struct Fault: CustomStringConvertible, Sendable {
        package enum Rule: String, Sendable {
            case oneBackendPerEpoch, staleDecision, noConvergence, notAsRecorded, notAsSeen
        }

        package let rule: Rule
        package let description: String
    }

    /// Sorted by start time.
    package let requests: [RoutedRequest]
    private let outages: [Outage]

    package init(_ requests: [RoutedRequest], outages: [Outage] = []) {
        self.requests = requests.sorted { ($0.start, $0.end) < ($1.start, $1.end) }
        self.outages = outages
    }

    /// The number of requests that were logged with an epoch. If there are none, most rules check nothing.
    package var epochCount: Int { requests.count { $0.epoch != nil } }

    // MARK: One backend for each epoch, no stale decisions

    /// Every pair of requests of one session and epoch that went to two backends.
    ///
    /// Requests during an outage that lost records are omitted; epochs before and after such an outage are not
    /// compared.
    package func tornEpochs() -> [Fault] {
        struct Key: Hashable {
            let fingerprint: String
            let epoch: UInt64
            let lineage: Int
        }
        var first: [Key: RoutedRequest] = [:]
        return requests.compactMap { request in
            guard request.isOnBinding, let epoch = request.epoch, let lineage = lineage(of: request) else { return nil }
            let key = Key(fingerprint: request.fingerprint, epoch: epoch, lineage: lineage)
            guard let other = first[key] else {
                first[key] = request
                return nil
            }
            guard other.backend != request.backend else { return nil }
            return Fault(rule: .oneBackendPerEpoch, description: "\(request.text), but \(other.text)")
        }
    }

    /// Every request that was decided, with the store available, on a binding that had been superseded more than
    /// `bound` seconds before. A move is known to have happened when the first exchange decided on it has ended.
    package func staleDecisions(bound: Double) -> [Fault] {
        var faults: [Fault] = []
        for (_, requests) in Dictionary(grouping: requests.filter(\.isByStore), by: \.fingerprint) {
            let known = requests.filter { request in !outages.contains { $0.touches(request) } }
            var moves: [Int: [RoutedRequest]] = [:]
            for request in known.sorted(by: { $0.end < $1.end }) {
                guard let lineage = lineage(of: request), let epoch = request.epoch,
                    moves[lineage]?.last.map({ epoch > $0.epoch ?? 0 }) ?? true
                else { continue }
                moves[lineage, default: []].append(request)
            }
            for request in known {
                guard let lineage = lineage(of: request), let epoch = request.epoch,
                    let move = moves[lineage]?.first(where: {
                        $0.epoch ?? 0 > epoch && $0.end + bound < request.start
                    })
                else { continue }
                let late = Int((request.start - move.end) * 1000)
                faults.append(
                    Fault(rule: .staleDecision, description: "\(request.text), \(late) ms after \(move.text)"))
            }
        }
        return faults
    }

    /// The number of outages with lost records before the request; nil during such an outage.
    private func lineage(of request: RoutedRequest) -> Int? {
        let losses = outages.filter(\.losesRecords)
        return losses.contains { $0.touches(request) } ? nil : losses.count { $0.end < request.start }
    }

    // MARK: Final agreement

    /// Sessions whose last requests since a moment, compared across replicas, went to different backends or were
    /// decided on different epochs.
    package func disagreements(since healed: Double) -> [Fault] {
        lastRequests(since: healed).flatMap { _, last -> [Fault] in
            guard let first = last.first else { return [] }
            return last.dropFirst().filter { $0.backend != first.backend || $0.epoch != first.epoch }
                .map { Fault(rule: .noConvergence, description: "\($0.text), but \(first.text)") }
        }
    }

    /// Sessions whose last request since a moment does not match the store's record.
    ///
    /// The store contains hashes of backends, without their names; but if everything is correct, each hash corresponds
    /// to one backend.
    ///
    /// - Parameter records: the store's records by key, including the namespace.
    package func differences(from records: [String: String], since healed: Double) -> [Fault] {
        let bindings = Dictionary(
            records.compactMap { key, value in StoredBinding(value).map { (key.fingerprintPart, $0) } }
        ) { $1 }
        var names: [UInt64: RoutedRequest] = [:]
        return lastRequests(since: healed).flatMap { fingerprint, last -> [Fault] in
            guard let binding = bindings[fingerprint] else {
                return [Fault(rule: .notAsRecorded, description: "the store has no record for \(fingerprint)")]
            }
            return last.compactMap { request in
                if let epoch = request.epoch, epoch != binding.epoch {
                    let said = "\(request.text), but the store has epoch \(binding.epoch)"
                    return Fault(rule: .notAsRecorded, description: said)
                }
                let known = names[binding.backend] ?? request
                names[binding.backend] = known
                guard known.backend != request.backend else { return nil }
                let said = "\(request.text), but the store has what it has for \(known.text)"
                return Fault(rule: .notAsRecorded, description: said)
            }
        }
    }

    /// The last request of each session at each replica, except those that do not depend on its binding.
    private func lastRequests(since moment: Double) -> [(fingerprint: String, last: [RoutedRequest])] {
        let late = requests.filter { $0.start >= moment && !$0.isAside }
        return Dictionary(grouping: late, by: \.fingerprint).sorted { $0.key < $1.key }.map { fingerprint, requests in
            let last = Dictionary(requests.map { ($0.replica, $0) }) { $1 }
            return (fingerprint, last.sorted { $0.key < $1.key }.map(\.value))
        }
    }

    // MARK: What clients saw

    /// Answers that came from another backend than the log states, and answers that do not appear in any log.
    ///
    /// - Parameter seen: backends by the targets of requests; each target is used once.
    package func differences(fromSeen seen: [String: String]) -> [Fault] {
        let logged = Dictionary(requests.map { ($0.target, $0) }) { $1 }
        return seen.sorted { $0.key < $1.key }.compactMap { target, backend in
            guard let request = logged[target] else {
                return Fault(rule: .notAsSeen, description: "\(target) was answered by \(backend), says no log")
            }
            guard request.backend != backend else { return nil }
            return Fault(rule: .notAsSeen, description: "\(target) was answered by \(backend), but \(request.text)")
        }
    }
}

extension RoutedRequest {
    fileprivate var text: String {
        let epoch = epoch.map { "epoch \($0)" } ?? "no epoch"
        return "\(fingerprint) went to \(backend) (\(provenance), \(epoch)) at \(replica)"
    }
}

/// A record in the store: an integer, optionally followed by a colon and the session's creation time.
private struct StoredBinding {
    let epoch: UInt64
    let backend: UInt64

    init?(_ value: String) {
        guard let number = value.split(separator: ":").first.flatMap({ UInt64($0) }) else { return nil }
        epoch = number & (1 << 24 - 1)
        backend = number >> 24
    }
}

extension String {
    /// The part of the fingerprint in a record's key that an access log contains.
    fileprivate var fingerprintPart: String {
        String((split(separator: ":").last ?? "").prefix(10))
    }
}
