import Routing

extension SettingSection {
    private static let statusesMax = 100
    private static let statusRange = 200...599

    /// A list of statuses of responses: each `503`, or a range such as `502-504`. Empty without the key.
    func statuses(_ key: String) -> [ClosedRange<Int>] {
        guard let value = self[key] else { return [] }
        let elements = value.list()
        guard elements.count <= Self.statusesMax else {
            value.diagnostic("must not name more than \(Self.statusesMax) statuses: write ranges such as 502-504")
            return []
        }
        return elements.compactMap(Self.statuses)
    }

    private static func statuses(_ value: SettingValue) -> ClosedRange<Int>? {
        let parts = (value.text ?? "").split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        let numbers = parts.compactMap { Int(decimal: $0) }
        guard numbers.count == parts.count, let first = numbers.first, let last = numbers.last,
            statusRange.contains(first), statusRange.contains(last), first <= last
        else {
            value.diagnostic(
                "must be a status from \(statusRange.lowerBound) to \(statusRange.upperBound), or a range such as 502-504"
            )
            return nil
        }
        return first...last
    }
}
