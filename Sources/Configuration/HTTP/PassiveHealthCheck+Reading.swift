import Affinity
import Proxy
import Routing

extension PassiveHealthCheck {
    static let keys = TraefikKnownKeys.passiveHealthCheck + ["statuses"]

    private static let windows = Duration.milliseconds(100)...(.seconds(86400))
    private static let countMax = 1000
    private static let statusRange = 200...599

    /// `loadBalancer.passiveHealthCheck`; `true` is the same as `{}`. Nil for `false`, and after an error.
    init?(_ value: SettingValue) {
        if value.text != nil {
            guard value.bool() == true else { return nil }
            self.init()
            return
        }
        guard let section = value.section() else { return nil }
        section.check(known: Self.keys)
        self.init()
        if let window = section["failureWindow"]?.duration(Self.windows) {
            windowMilliseconds = window.wholeMilliseconds
        }
        failuresMax = section["maxFailedAttempts"]?.integer(1...Self.countMax) ?? 1
        statuses = (section["statuses"]?.list() ?? []).compactMap(Self.range)
    }

    /// `503`, or `502-504`.
    private static func range(_ value: SettingValue) -> ClosedRange<Int>? {
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
