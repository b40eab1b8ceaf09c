import Affinity
import Configuration
import Proxy

extension ServiceView {
    /// A service's servers and what is configured for them.
    struct LoadBalancer: Encodable, Equatable, Sendable {
        var servers: [Server]
        var passHostHeader: Bool
        /// Null: servers are not checked.
        @ExplicitNull var healthCheck: HealthCheckView?
        /// Null: failures of requests do not count.
        @ExplicitNull var passiveHealthCheck: PassiveHealthCheckView?
        /// Null: servers begin with all of their share.
        @ExplicitNull var slowStartMilliseconds: Int64?
        /// Null: unlimited.
        @ExplicitNull var maxRequests: Int?
        /// Null: there is no limit for which requests could wait.
        @ExplicitNull var queue: Queue?
    }

    struct Server: Encodable, Equatable, Sendable {
        var name: String
        var url: String
        var weight: Int
        var draining: Bool
    }

    struct Queue: Encodable, Equatable, Sendable {
        var size: Int
        var timeoutMilliseconds: Int64
    }

    /// How servers are checked. The values of fields, and a query, may be secrets: they are not shown.
    struct HealthCheckView: Encodable, Equatable, Sendable {
        var method: String
        /// Without its query.
        var path: String
        /// Null: the address that is checked.
        @ExplicitNull var hostname: String?
        /// Null: the server's own.
        @ExplicitNull var port: Int?
        /// Null: all from 200 to 399.
        @ExplicitNull var status: Int?
        /// The names of its fields.
        var headers: [String]
        var followRedirects: Bool
        var intervalMilliseconds: Int64
        var unhealthyIntervalMilliseconds: Int64
        var timeoutMilliseconds: Int64
        var rise: Int
        var fall: Int
    }

    struct PassiveHealthCheckView: Encodable, Equatable, Sendable {
        var failureWindowMilliseconds: Int64
        var maxFailedAttempts: Int
        /// As in the configuration, such as `500` or `502-504`.
        var statuses: [String]
    }
}

extension ServiceView.LoadBalancer {
    init(_ settings: ServiceSettings) {
        let slowStart = settings.slowStart.wholeMilliseconds
        self.init(
            servers: settings.backends.map {
                ServiceView.Server(name: $0.name, url: $0.url, weight: $0.weight, draining: $0.isDraining)
            },
            passHostHeader: settings.passHostHeader,
            healthCheck: settings.healthCheck.map(ServiceView.HealthCheckView.init),
            passiveHealthCheck: settings.passiveHealthCheck.map(ServiceView.PassiveHealthCheckView.init),
            slowStartMilliseconds: slowStart > 0 ? slowStart : nil, maxRequests: settings.maxRequests,
            queue: settings.maxRequests.map { _ in
                ServiceView.Queue(
                    size: settings.queue.size, timeoutMilliseconds: settings.queue.timeout.wholeMilliseconds)
            })
    }
}

extension ServiceView.HealthCheckView {
    init(_ check: HealthCheck) {
        self.init(
            method: check.method, path: String(check.path.prefix { $0 != "?" }), hostname: check.hostname,
            port: check.port, status: check.status, headers: check.headers.map(\.name),
            followRedirects: check.followsRedirects, intervalMilliseconds: check.pace.intervalMilliseconds,
            unhealthyIntervalMilliseconds: check.pace.unhealthyIntervalMilliseconds,
            timeoutMilliseconds: check.pace.timeoutMilliseconds, rise: check.pace.rise, fall: check.pace.fall)
    }
}

extension ServiceView.PassiveHealthCheckView {
    init(_ check: PassiveHealthCheck) {
        self.init(
            failureWindowMilliseconds: check.windowMilliseconds, maxFailedAttempts: check.failuresMax,
            statuses: check.statuses.map(\.statusText))
    }
}
