/// The score of one backend for one fingerprint in weighted rendezvous hashing: -log2(u) / weight, where u is uniform
/// in (0, 1] and depends on both. The smallest score comes first.
///
/// Scores are exponential variables: the probability that a backend has the smallest is proportional to its weight, and
/// a change of one weight moves fingerprints only to or from that backend.
struct RendezvousScore {
    /// -log2(u) in 32.32 fixed point; always 0 if all weights are equal, because then u alone decides.
    private let distance: UInt64
    private let weight: UInt64
    private let draw: UInt64
    private let seed: UInt64

    /// - Parameter weigh: false if all weights are equal. The order is the same, without the logarithm.
    init(fingerprint: Fingerprint, seed: UInt64, weight: UInt16, weigh: Bool) {
        // Fingerprint and seed are already keyed hashes; names that differ in one character have unrelated seeds.
        draw = SplitMix.mixed(fingerprint.low ^ seed)
        distance = weigh ? 64 * FixedLog2.one - FixedLog2.of(draw) : 0
        self.weight = UInt64(weight)
        self.seed = seed
    }

    /// A total order. Products stay below 2^54. The draw breaks ties of the quotient, so that equal weights give the
    /// same order with and without weighing; the seed breaks ties of the draw.
    func precedes(_ other: RendezvousScore) -> Bool {
        if (weight == 0) != (other.weight == 0) { return other.weight == 0 }
        let (mine, others) = (distance * other.weight, other.distance * weight)
        if mine != others { return mine < others }
        if draw != other.draw { return draw > other.draw }
        return seed < other.seed
    }
}
