import Foundation

/// Where a request goes and why, for people (see `ExplanationText`) and for programs.
package struct Explanation: Encodable, Equatable, Sendable {
    package struct Router: Encodable, Equatable, Sendable {
        var name: String
        var rule: String
        var priority: Int
        /// If the router takes the request: the matchers that hold. Otherwise: the matcher that decided against it, and
        /// how.
        var because: [String]
        /// Where the router is defined.
        var origin: String
    }

    package struct Middleware: Encodable, Equatable, Sendable {
        var kind: String
        /// What it does to this request.
        var effect: String
    }

    package struct Target: Encodable, Equatable, Sendable {
        var name: String
        /// Only for a backend.
        @ExplicitNull var url: String?
        var weight: Int
        var draining: Bool
        /// Whether it takes new sessions: its weight is above 0, and it is not draining.
        var takesNewSessions: Bool
    }

    package struct Hint: Encodable, Equatable, Sendable {
        /// Null if the backend no longer exists.
        @ExplicitNull var target: String?
        var epoch: UInt32
    }

    package struct Level: Encodable, Equatable, Sendable {
        var service: String
        var strategy: String
        /// Where session keys are looked for, in this order.
        var sources: [String]
        /// Whether a session waits for its target, and its requests are refused meanwhile.
        var rejects: Bool
        /// The source of this request's session key; null if the request has none.
        @ExplicitNull var source: String?
        /// 32 hexadecimal digits.
        @ExplicitNull var fingerprint: String?
        /// The hint in the request's affinity cookie.
        @ExplicitNull var hint: Hint?
        /// Whether a session begins with this request.
        var begins: Bool
        /// In the session's order; without a session, in that of the configuration.
        var order: [Target]
        /// The target of an unknown session while all targets are up. Null if that is decided at random or in turn.
        @ExplicitNull var choice: String?
        /// The target that a cookie in the request, other than its session key, proposes for an unknown session.
        @ExplicitNull var proposal: String?
        /// What a running replica knows.
        var live: Live?

        /// Whether the targets are a main service and its fallback.
        var isFailover: Bool { strategy == Self.failover }

        static let failover = "failover"
    }

    package struct Live: Codable, Equatable, Sendable {
        @ExplicitNull var session: SessionView?
        /// The names of the targets that the replica cannot reach.
        var down: [String]
    }

    /// The rules of the connection.
    package struct TLS: Encodable, Equatable, Sendable {
        /// The name of the options.
        var options: String
        /// What is demanded of the client's certificate, in Go's words.
        var clientAuthType: String
    }

    var method: String
    var url: String
    var client: String
    var entryPoint: String
    /// Left out without TLS.
    var tls: TLS?
    /// The status of Limpet's local response; null if a backend answers.
    @ExplicitNull var status: Int?
    /// The reason for Limpet's local response, or for there being none: no connection comes about.
    @ExplicitNull var reason: String?
    @ExplicitNull var router: Router?
    /// The routers that were considered before it.
    var passedOver: [Router]
    /// The routers that would take the request too, but come later.
    var shadowed: [Router]
    var middlewares: [Middleware]
    /// The service; for a weighted service, followed by those that it would choose.
    var levels: [Level]
    /// Whether fingerprints and orders are those of a running fleet. They depend on the fleet secret.
    var hasSecret: Bool

    /// The levels that the request is known to pass. It ends at a level whose session is bound to another target than a
    /// new session would get: the levels below that one are unknown.
    var passed: ArraySlice<Level> {
        let end = levels.firstIndex { $0.leadsElsewhere } ?? levels.endIndex - 1
        return levels.prefix(end + 1)
    }

    /// Whether a backend may get the request.
    package var isServed: Bool { status == nil && isConnected }

    /// Whether there is a request at all: a TLS connection comes about, where one is asked for.
    var isConnected: Bool { status != nil || reason == nil }

    /// For programs: one object with sorted keys.
    package func json() throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(self), as: UTF8.self)
    }
}
