package import Affinity

/// Counts what happened in simulations, so that one in which nothing happens is noticed.
package struct SimulationCoverage: Sendable {
    package private(set) var counts: [String: Int] = [:]
    package private(set) var provenances: [Provenance: Int] = [:]

    /// The longest times, in microseconds.
    package private(set) var widths: [String: Int64] = [:]

    package init() {}

    mutating func count(_ what: String) { counts[what, default: 0] += 1 }
    mutating func count(_ provenance: Provenance) { provenances[provenance, default: 0] += 1 }

    package mutating func add(_ other: SimulationCoverage) {
        counts.merge(other.counts, uniquingKeysWith: +)
        provenances.merge(other.provenances, uniquingKeysWith: +)
        widths.merge(other.widths, uniquingKeysWith: max)
    }

    mutating func widen(_ what: String, to width: Moment) { widths[what] = max(width, widths[what] ?? 0) }

    package func count(of what: String) -> Int { counts[what, default: 0] }

    /// Text: a line of decisions, one of all other events, and one of the longest times, if any were measured.
    package var lines: [String] {
        let decided = Provenance.allCases.map { "\($0.rawValue) \(provenances[$0, default: 0])" }
        let rest = counts.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
        let longest = widths.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value / 1000) ms" }
        return ["decisions: " + decided.joined(separator: ", "), "events: " + rest.joined(separator: ", ")]
            + (longest.isEmpty ? [] : ["longest: " + longest.joined(separator: ", ")])
    }
}
