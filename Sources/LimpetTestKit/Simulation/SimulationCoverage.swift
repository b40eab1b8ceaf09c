package import Affinity

/// Counts what happened in simulations, so that one in which nothing happens is noticed.
package struct SimulationCoverage: Sendable {
    package private(set) var counts: [String: Int] = [:]
    package private(set) var provenances: [Provenance: Int] = [:]

    package init() {}

    mutating func count(_ what: String) { counts[what, default: 0] += 1 }
    mutating func count(_ provenance: Provenance) { provenances[provenance, default: 0] += 1 }

    package mutating func add(_ other: SimulationCoverage) {
        counts.merge(other.counts, uniquingKeysWith: +)
        provenances.merge(other.provenances, uniquingKeysWith: +)
    }

    package func count(of what: String) -> Int { counts[what, default: 0] }

    /// Two lines of text: decisions, and all other events.
    package var lines: [String] {
        let decided = Provenance.allCases.map { "\($0.rawValue) \(provenances[$0, default: 0])" }
        let rest = counts.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
        return ["decisions: " + decided.joined(separator: ", "), "events: " + rest.joined(separator: ", ")]
    }
}
