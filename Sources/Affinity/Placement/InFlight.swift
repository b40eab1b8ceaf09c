/// How many requests of one event loop are in flight to each backend of a service.
package struct InFlight: Sendable {
    /// By index in the membership.
    private var counts: [Int]

    /// - Parameter counts: by index in the membership.
    package init(_ counts: [Int]) {
        self.counts = counts
    }

    package subscript(_ index: Int) -> Int { counts[index] }

    /// A request goes to the backend. An index out of range is ignored, here and in ``ended(_:)``.
    package mutating func began(_ index: Int) {
        if counts.indices.contains(index) { counts[index] += 1 }
    }

    package mutating func ended(_ index: Int) {
        if counts.indices.contains(index), counts[index] > 0 { counts[index] -= 1 }
    }

    /// - Parameter kept: the previous index of each backend; nil for a new one.
    mutating func reconfigure(kept: [Int?]) {
        counts = kept.map { place in place.map { counts[$0] } ?? 0 }
    }

    /// Draws two candidates by weight, and takes the one with fewer requests in flight relative to its weight, or the
    /// first on a tie. Nil without candidates. Backends of weight 0 are never candidates. Allocates nothing.
    func choose(
        of membership: Membership, random: inout SplitMix, where isCandidate: (Int) -> Bool
    ) -> Int? {
        guard let first = draw(of: membership, random: &random, where: isCandidate) else { return nil }
        guard let second = draw(of: membership, random: &random, where: { $0 != first && isCandidate($0) }) else {
            return first
        }
        let (weight, other) = (Int(membership.backends[first].weight), Int(membership.backends[second].weight))
        let isSecondBetter =
            counts[second].multipliedFullWidth(by: weight)
            < counts[first].multipliedFullWidth(by: other)
        return isSecondBetter ? second : first
    }

    private func draw(
        of membership: Membership, random: inout SplitMix, where isCandidate: (Int) -> Bool
    ) -> Int? {
        var total = 0
        for index in counts.indices where isCandidate(index) { total += Int(membership.backends[index].weight) }
        guard total > 0 else { return nil }
        var left = random.below(total)
        for index in counts.indices where isCandidate(index) {
            left -= Int(membership.backends[index].weight)
            if left < 0 { return index }
        }
        return nil
    }
}
