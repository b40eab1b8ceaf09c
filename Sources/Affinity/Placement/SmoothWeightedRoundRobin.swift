/// Smooth weighted round robin, as nginx does it: each turn every candidate gains its weight, and the one with the most
/// credit is taken and pays the sum.
package struct SmoothWeightedRoundRobin: Sendable {
    private var weights: [Int]
    private var credits: [Int]

    /// - Parameters:
    ///   - weights: at most 65535 each; who has 0 is never taken.
    ///   - seed: whoever begins with another seed is not in step with this one; nil: a start that is always the same.
    package init(_ weights: [Int], seed: UInt64?) {
        self.weights = weights
        let total = weights.reduce(0, +)
        if let seed {
            var random = SplitMix(seed: seed)
            credits = weights.map { _ in random.below(total) }
        } else {
            // With no credit at all a lighter one would come early: half a round, and it comes when it is due.
            credits = Array(repeating: 0, count: weights.count)
            if let heaviest = weights.max().flatMap(weights.firstIndex) { credits[heaviest] = total / 2 }
        }
    }

    /// Goes on with other weights. Credits shrink with them: one that was earned or spent by large weights would keep
    /// one with a small weight in or out of turn for long.
    ///
    /// - Parameter kept: for each its place until now; nil for one that is new.
    package mutating func reconfigure(_ weights: [Int], kept: [Int?]) {
        let (before, after) = (max(1, self.weights.reduce(0, +)), weights.reduce(0, +))
        credits = kept.map { place in place.map { credits[$0] * min(after, before) / before } ?? 0 }
        self.weights = weights
    }

    /// Whose turn it is, of the candidates with a weight. Allocates nothing.
    package mutating func next(where isCandidate: (Int) -> Bool) -> Int? {
        var best: Int?
        var total = 0
        for index in credits.indices where weights[index] > 0 && isCandidate(index) {
            total += weights[index]
            credits[index] += weights[index]
            if best.map({ credits[index] > credits[$0] }) ?? true { best = index }
        }
        if let best { credits[best] -= total }
        return best
    }
}
