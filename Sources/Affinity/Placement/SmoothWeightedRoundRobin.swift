/// Smooth weighted round robin, as in nginx: each turn, every candidate gains its weight as credit; the one with the
/// most credit is taken and pays the sum of the weights.
package struct SmoothWeightedRoundRobin: Sendable {
    private var weights: [Int]
    private var credits: [Int]

    /// - Parameters:
    ///   - weights: at most 65535 each; an entry of weight 0 is never taken.
    ///   - seed: rotations with different seeds are not in step with each other; nil: always the same start.
    package init(_ weights: [Int], seed: UInt64?) {
        self.weights = weights
        let total = weights.reduce(0, +)
        if let seed {
            var random = SplitMix(seed: seed)
            credits = weights.map { _ in random.below(total) }
        } else {
            // If all credits began at 0, a lighter entry would come early. With half a round of credit for the
            // heaviest, it comes when it is due.
            credits = Array(repeating: 0, count: weights.count)
            if let heaviest = weights.max().flatMap(weights.firstIndex) { credits[heaviest] = total / 2 }
        }
    }

    /// Continues with other weights. Credits shrink with the weights: otherwise credit earned or spent under large
    /// weights would keep an entry of small weight in or out of turn for long.
    ///
    /// - Parameter kept: the previous index of each entry; nil for a new one.
    package mutating func reconfigure(_ weights: [Int], kept: [Int?]) {
        let (before, after) = (max(1, self.weights.reduce(0, +)), weights.reduce(0, +))
        credits = kept.map { place in place.map { credits[$0] * min(after, before) / before } ?? 0 }
        self.weights = weights
    }

    /// The entry whose turn it is, among the candidates of a weight above 0. Allocates nothing.
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
