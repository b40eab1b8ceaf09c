/// Keys of Traefik sections. A misspelled key in a section that is refused as a whole is reported too, not only when
/// the section becomes available.
enum TraefikKnownKeys {
    static let healthCheck = [
        "path", "scheme", "mode", "method", "status", "port", "interval", "unhealthyInterval", "timeout", "hostname",
        "followRedirects", "headers",
    ]
    static let passiveHealthCheck = ["failureWindow", "maxFailedAttempts"]
    static let responseForwarding = ["flushInterval"]
    static let failover = ["service", "fallback", "healthCheck", "errors"]
    static let mirroring = ["service", "mirrorBody", "maxBodySize", "mirrors", "healthCheck"]
    static let highestRandomWeight = ["services", "healthCheck"]
    static let retry = [
        "attempts", "initialInterval", "timeout", "status", "disableRetryOnNetworkError", "retryNonIdempotentMethod",
        "maxRequestBodyBytes",
    ]

    static func check(_ section: SettingSection, _ key: String, _ known: [String]) {
        guard let value = section[key], value.isMapping else { return }
        value.section()?.check(known: known)
    }
}
