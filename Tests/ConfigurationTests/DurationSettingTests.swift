import Testing

@testable import Configuration

/// Every setting that is a duration, in its place.
struct DurationSetting: CustomStringConvertible, Sendable {
    /// As a mistake names it.
    let key: String
    /// Whether 0 is allowed: it means no limit, as in Traefik.
    let takesZero: Bool

    var description: String { key }

    init(_ key: String, takesZero: Bool = false) {
        self.key = key
        self.takesZero = takesZero
    }

    static let all: [DurationSetting] =
        ["readTimeout", "writeTimeout", "idleTimeout", "bodyGapTimeout"].map {
            DurationSetting("entryPoints.web.transport.respondingTimeouts.\($0)", takesZero: true)
        } + [
            DurationSetting("entryPoints.web.transport.respondingTimeouts.headTimeout"),
            DurationSetting("entryPoints.web.transport.keepAliveMaxTime", takesZero: true),
            DurationSetting("providers.providersThrottleDuration", takesZero: true),
            DurationSetting("store.lease"), DurationSetting("store.redis.connectTimeout"),
            DurationSetting("store.redis.commandTimeout"),
        ]
        + ["serversTransport", "http.serversTransports.t"].flatMap { transport in
            [
                "dialTimeout", "responseHeaderTimeout", "idleConnTimeout", "readIdleTimeout", "pingTimeout",
                "responseGapTimeout", "requestTimeout", "tunnelTimeout",
            ].map { DurationSetting("\(transport).forwardingTimeouts.\($0)", takesZero: true) }
        }
        + [
            "healthCheck.interval", "healthCheck.unhealthyInterval", "healthCheck.timeout",
            "passiveHealthCheck.failureWindow", "slowStart", "queue.timeout", "sticky.idleTimeout",
            "sticky.absoluteTimeout",
        ].map { DurationSetting("http.services.s.loadBalancer.\($0)") }

    /// What a configuration with this value reports of the setting.
    func diagnostics(_ value: String) -> [String] {
        var yaml = ""
        for (depth, word) in key.split(separator: ".").enumerated() {
            yaml += String(repeating: "  ", count: depth) + "\(word):\n"
        }
        yaml.removeLast()
        return ConfigurationSample.diagnostics("\(yaml) \(value)\n").filter { $0.contains(" \(key): ") }
    }
}

@Suite("A setting that is a duration")
struct DurationSettingTests {
    private static let bad = [
        "-5s", "-1", "5 parsecs", "10sec", "1y", "soon", "1m-1s", "'0x10'", "1e9", "5s5", "'5 s'", "NaN", ".inf",
        "99999999999999999999", "9223372036854775807", "99999999h", "[5s]", "{ s: 5 }", "true",
    ]

    @Test(
        "is refused, with its place and its key, if it is negative, enormous or none at all",
        arguments: DurationSetting.all)
    func bad(_ setting: DurationSetting) {
        for value in Self.bad {
            let found = setting.diagnostics(value)
            #expect(found.count == 1, "\(value): \(found)")
            let depth = setting.key.count { $0 == "." }
            #expect(found.first?.hasPrefix("\(depth + 1):") == true, "\(value): \(found)")
        }
    }

    @Test("is unlimited with 0 where Traefik says so, and refuses it elsewhere", arguments: DurationSetting.all)
    func zero(_ setting: DurationSetting) {
        for value in ["0", "0s", "0ms"] {
            #expect(setting.diagnostics(value).isEmpty == setting.takesZero, "\(value)")
        }
    }

    @Test("may be written in any unit, or without one in seconds", arguments: DurationSetting.all)
    func good(_ setting: DurationSetting) {
        // Within the range of all of them.
        for value in setting.key.hasPrefix("store.") ? ["400ms", "400000us", "0.4s"] : ["60", "60s", "1m", "0.5m30s"] {
            // At least `idleTimeout`, which is a day.
            if setting.key.hasSuffix("absoluteTimeout") { continue }
            #expect(setting.diagnostics(value) == [], "\(value)")
        }
    }
}
