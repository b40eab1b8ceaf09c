/// How long clients may take at an entry point, and how long their connections are used:
/// `entryPoints.<name>.transport`. Nil means unlimited.
package struct TransportSettings: Equatable, Sendable {
    /// For the head of a request: `respondingTimeouts.headTimeout`.
    package var headTimeout = Duration.seconds(10)
    /// For a whole request: `respondingTimeouts.readTimeout`.
    package var readTimeout: Duration?
    /// Between two pieces of a request's body: `respondingTimeouts.bodyGapTimeout`.
    package var bodyGapTimeout: Duration? = .seconds(60)
    /// From the end of a request's head to the end of its response: `respondingTimeouts.writeTimeout`.
    package var writeTimeout: Duration?
    /// For a connection without a request: `respondingTimeouts.idleTimeout`.
    package var idleTimeout: Duration? = .seconds(180)
    package var keepAliveMaxRequests: Int?
    package var keepAliveMaxTime: Duration?

    package init() {}
}

extension TransportSettings {
    private static let requestsMax = 1_000_000_000

    init(_ section: SettingSection?) {
        self.init()
        guard let section else { return }
        section.check(
            known: ["respondingTimeouts", "keepAliveMaxRequests", "keepAliveMaxTime"], unavailable: ["lifeCycle"])
        keepAliveMaxRequests = section.limit("keepAliveMaxRequests", atMost: Self.requestsMax)
        keepAliveMaxTime = section.timeout("keepAliveMaxTime", default: keepAliveMaxTime)
        guard let timeouts = section.section("respondingTimeouts") else { return }
        timeouts.check(known: ["readTimeout", "writeTimeout", "idleTimeout", "headTimeout", "bodyGapTimeout"])
        headTimeout = timeouts["headTimeout"]?.duration(.milliseconds(1)...SettingSection.timeoutMax) ?? headTimeout
        readTimeout = timeouts.timeout("readTimeout", default: readTimeout)
        bodyGapTimeout = timeouts.timeout("bodyGapTimeout", default: bodyGapTimeout)
        writeTimeout = timeouts.timeout("writeTimeout", default: writeTimeout)
        idleTimeout = timeouts.timeout("idleTimeout", default: idleTimeout)
    }
}

extension SettingSection {
    static let timeoutMax = Duration.seconds(366 * 24 * 60 * 60)

    /// A number, where 0 means unlimited. Nil if the key is left out, too, or after an error.
    func limit(_ key: String, atMost most: Int) -> Int? {
        self[key]?.integer(0...most).flatMap { $0 == 0 ? nil : $0 }
    }

    /// A time-out, where 0 means none. `standard` if the key is left out, or after an error.
    func timeout(_ key: String, default standard: Duration?) -> Duration? {
        guard let value = self[key] else { return standard }
        guard let duration = value.duration(.zero...Self.timeoutMax) else { return standard }
        return duration == .zero ? nil : duration
    }
}
