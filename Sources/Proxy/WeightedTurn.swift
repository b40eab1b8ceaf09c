import Affinity

/// Smooth weighted round robin, as nginx does it: each turn every usable backend gains its weight, and the one with the
/// most is taken and pays the sum. Pure but for the health it is shown.
struct WeightedTurn {
    private var credit: [Int] = []

    mutating func next(_ membership: Membership, health: HealthTable) -> Int? {
        if credit.count != membership.count { credit = Array(repeating: 0, count: membership.count) }
        var best: Int?
        var total = 0
        for index in 0..<membership.count where membership.takesNewSessions(index) && health.isUp(index) {
            let weight = Int(membership.backends[index].weight)
            total += weight
            credit[index] += weight
            if best.map({ credit[index] > credit[$0] }) ?? true { best = index }
        }
        if let best { credit[best] -= total }
        return best
    }
}
