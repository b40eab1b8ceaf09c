import Foundation

/// Where a request goes and why, for people (see `ExplanationText`) and for programs.
package struct Explanation: Encodable, Equatable, Sendable {
    package struct Router: Encodable, Equatable, Sendable {
        var name: String
        var rule: String
        var priority: Int
        /// Of a router that takes it: the matchers that hold. Of another: the one that decided against it, and how.
        var because: [String]
        /// Who says it.
        var origin: String
    }

    package struct Middleware: Encodable, Equatable, Sendable {
        var kind: String
        /// What it does to this request.
        var effect: String
    }

    package struct Target: Encodable, Equatable, Sendable {
        var name: String
        /// Of a backend.
        @ExplicitNull var url: String?
        var weight: Int
        var draining: Bool
        /// Whether new sessions may go there.
        var takesNewSessions: Bool
    }

    package struct Hint: Encodable, Equatable, Sendable {
        /// Null where there is no such backend any more.
        @ExplicitNull var target: String?
        var epoch: UInt32
    }

    package struct Level: Encodable, Equatable, Sendable {
        var service: String
        var strategy: String
        /// Where session keys are looked for, in their order.
        var sources: [String]
        /// Whether a session waits for its target, and is refused meanwhile.
        var rejects: Bool
        /// Where this request's stands; null where it has none.
        @ExplicitNull var source: String?
        /// 32 hexadecimal digits.
        @ExplicitNull var fingerprint: String?
        /// What the request's own cookie says.
        @ExplicitNull var hint: Hint?
        /// Whether a session begins with this request.
        var begins: Bool
        /// In the session's order; in that of the configuration where there is none.
        var order: [Target]
        /// Where a session goes that nobody knows yet, while all are up; null where that is chance or turn.
        @ExplicitNull var choice: String?
        /// Where a cookie in the request, which is not its session key, has such a session begin.
        @ExplicitNull var proposal: String?
        /// What a running replica knows.
        var live: Live?
    }

    package struct Live: Codable, Equatable, Sendable {
        @ExplicitNull var session: SessionView?
        /// The names of those that the replica cannot reach.
        var down: [String]
    }

    var method: String
    var url: String
    var client: String
    var entryPoint: String
    /// What Limpet answers by itself; null where a backend answers.
    @ExplicitNull var status: Int?
    /// Why, where Limpet answers by itself.
    @ExplicitNull var reason: String?
    @ExplicitNull var router: Router?
    /// Those that were asked before it.
    var passedOver: [Router]
    /// Those that would take it too, were they asked.
    var shadowed: [Router]
    var middlewares: [Middleware]
    /// The service, and of a weighted service what it would choose.
    var levels: [Level]
    /// Whether fingerprints and orders are those of a running fleet: they depend on its secret.
    var hasSecret: Bool

    /// The levels that the request passes, as far as is known: where a session is bound to another target than a new
    /// one would be given, what comes below is not.
    var passed: ArraySlice<Level> {
        let end = levels.firstIndex { $0.leadsElsewhere } ?? levels.endIndex - 1
        return levels.prefix(end + 1)
    }

    /// Whether a backend may get the request.
    package var isServed: Bool { status == nil }

    /// For programs: one object, its keys sorted.
    package func json() throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(self), as: UTF8.self)
    }
}
