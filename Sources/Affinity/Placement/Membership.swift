/// The configured backends of one service, in their configured order. Immutable: a new configuration creates a new
/// membership.
///
/// Placement is weighted rendezvous hashing over all of them. A fingerprint has the same order on every replica with
/// the same membership; health, draining and weight 0 only skip along it.
package final class Membership: Sendable {
    /// A backend as configured, with the hash and seed that the fleet's key gives its name.
    package struct Backend: Sendable {
        package let name: String
        /// 0...65535. A backend of weight 0 keeps its sessions and never gets new ones.
        package let weight: UInt16
        /// A draining backend keeps its sessions, and gets new ones only if no other backend can take them.
        package let isDraining: Bool
        package let hash: BackendHash
        let seed: UInt64
    }

    /// Why two backends cannot be in one service.
    package enum Diagnostic: Error, Hashable, CustomStringConvertible {
        case sameName(String)
        case meetingHashes(String, String)

        package var description: String {
            switch self {
            case .sameName(let name):
                "two backends have the name \"\(name)\"; give each its own"
            case .meetingHashes(let first, let second):
                "the backends \"\(first)\" and \"\(second)\" have the same hash under this fleet secret; rename one of them"
            }
        }
    }

    package let backends: [Backend]
    private let candidates: [Candidate]
    private let weigh: Bool
    private let places: BackendIndex

    /// - Parameter backends: names and their hashes must be unique. May be empty.
    package init(
        _ backends: [(name: String, weight: UInt16, isDraining: Bool)], key: FingerprintKey
    ) throws(Diagnostic) {
        self.backends = backends.map {
            let named = BackendName($0.name, key: key)
            return Backend(
                name: $0.name, weight: $0.weight, isDraining: $0.isDraining, hash: named.hash, seed: named.seed)
        }
        candidates = self.backends.map {
            Candidate(seed: $0.seed, weight: $0.weight, isDraining: $0.isDraining)
        }
        let weights = Set(self.backends.map(\.weight).filter { $0 > 0 })
        weigh = weights.count > 1
        places = BackendIndex(self.backends.map(\.hash))
        try Self.check(self.backends)
    }

    package var count: Int { candidates.count }

    var weights: [Int] { backends.map { Int($0.weight) } }

    /// The index of the backend with this hash, or nil if the service has none: the backend may have been removed, or
    /// the hash may be the tombstone.
    package func index(of hash: BackendHash) -> Int? { places.index(of: hash) }

    /// Whether new sessions may be placed on the backend, regardless of its health.
    package func takesNewSessions(_ index: Int) -> Bool { candidates[index].takesNew }

    /// For each backend, whether new sessions may be placed on it, regardless of its health.
    package var takersOfNewSessions: [Bool] { candidates.map(\.takesNew) }

    /// The first backend in the fingerprint's order that takes new sessions and is `usable`. Allocates nothing.
    ///
    /// - Parameter draining: choose among draining backends instead.
    package func choose(
        _ fingerprint: Fingerprint, draining: Bool = false, where usable: (Int) -> Bool
    ) -> Int? {
        var best: (index: Int, score: RendezvousScore)?
        for index in candidates.indices {
            let candidate = candidates[index]
            guard draining ? candidate.isDraining && candidate.weight > 0 : candidate.takesNew, usable(index) else {
                continue
            }
            let score = score(index, fingerprint)
            if let current = best, !score.precedes(current.score) { continue }
            best = (index, score)
        }
        return best?.index
    }

    /// All backends in the fingerprint's order; those of weight 0 come last.
    package func ranked(_ fingerprint: Fingerprint) -> [Int] {
        let scores = candidates.indices.map { score($0, fingerprint) }
        return candidates.indices.sorted { scores[$0].precedes(scores[$1]) }
    }

    private func score(_ index: Int, _ fingerprint: Fingerprint) -> RendezvousScore {
        RendezvousScore(
            fingerprint: fingerprint, seed: candidates[index].seed, weight: candidates[index].weight, weigh: weigh)
    }

    private static func check(_ backends: [Backend]) throws(Diagnostic) {
        var names: Set<String> = []
        var hashes: [BackendHash: String] = [:]
        for backend in backends {
            guard names.insert(backend.name).inserted else { throw .sameName(backend.name) }
            if let other = hashes.updateValue(backend.name, forKey: backend.hash) {
                throw .meetingHashes(other, backend.name)
            }
        }
    }

    /// The fields of a backend that placement reads, adjacent in memory.
    private struct Candidate {
        let seed: UInt64
        let weight: UInt16
        let isDraining: Bool
        var takesNew: Bool { weight > 0 && !isDraining }
    }
}
