import Affinity
import Proxy
import Routing

extension PassiveHealthCheck {
    static let keys = TraefikKnownKeys.passiveHealthCheck + ["statuses"]

    private static let windows = Duration.milliseconds(100)...(.seconds(86400))
    private static let countMax = 1000

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
        statuses = section.statuses("statuses")
    }
}
