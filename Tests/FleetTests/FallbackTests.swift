import Foundation
import LimpetTestKit
import Testing

extension FleetTests {
    @Suite("Retries and fallbacks of a real process")
    struct FallbackTests {
        private static let check = "healthCheck: { path: /health, interval: 200ms, timeout: 1s }"

        private static func dynamic(_ main: AnsweringInTurn, _ spare: AnsweringInTurn, _ check: String) -> String {
            """
            http:
              routers:
                retried: { rule: "PathPrefix(`/retried`)", service: main, middlewares: [again] }
                all: { rule: "PathPrefix(`/`)", service: pair }
              middlewares:
                again: { retry: { attempts: 3, initialInterval: 10ms, status: ["503"] } }
              services:
                pair: { failover: { service: main, fallback: spare, healthCheck: {}, errors: { status: ["500-502"] } } }
                main:
                  loadBalancer:
                    servers: [{ url: "http://127.0.0.1:\(main.port)", name: m }]
                    \(check)
                    sticky: { cookie: { name: sid } }
                spare: { loadBalancer: { servers: [{ url: "http://127.0.0.1:\(spare.port)", name: s }] } }

            """
        }

        private static func withPair(
            check: String = "",
            _ body: @Sendable @escaping (RoutedReplica, AnsweringInTurn, AnsweringInTurn) throws -> Void
        ) async throws {
            try await Threads.run {
                let main = try AnsweringInTurn("main", [.status(200)])
                let spare = try AnsweringInTurn("spare", [.status(200)])
                let routed = try RoutedReplica(backends: 0, dynamic(main, spare, check))
                defer { _ = routed.end() }
                try body(routed, main, spare)
            }
        }

        private static func body(_ routed: RoutedReplica) throws -> String {
            String(decoding: try routed.exchange().body, as: UTF8.self)
        }

        @Test("by the main service's health check: the fallback serves while it fails, and no longer")
        func health() async throws {
            try await Self.withPair(check: Self.check) { routed, main, spare in
                try #expect(Self.body(routed) == "main")
                main.answers([.status(503)])
                try #expect(Waiting.until(within: 5) { try Self.body(routed) == "spare" })
                let answer = try routed.exchange()
                #expect(answer.status == 200 && !answer.fields.contains { $0.value.hasPrefix("sid=") })
                let service = try routed.replica.json("/api/http/services/pair")
                #expect(service["type"] as? String == "failover" && service["strategy"] as? String == "failover")
                main.answers([.status(200)])
                try #expect(Waiting.until(within: 5) { try Self.body(routed) == "main" })
                let fallbacks = try routed.replica.metric("limpet_fallback_requests_total{service=\"pair\"}")
                #expect(fallbacks ?? 0 >= 2)
                #expect(spare.heads.allSatisfy { $0.hasPrefix("GET / ") })
            }
        }

        @Test("by statuses: each goes where the file says, and the access log and the metrics say why")
        func statuses() async throws {
            try await Self.withPair { routed, main, spare in
                main.answers([.status(502)])
                try #expect(Self.body(routed) == "spare")
                main.answers([.status(503)])
                let retried = try routed.exchange("/retried")
                #expect(retried.status == 503 && main.heads.filter { $0.hasPrefix("GET /retried ") }.count == 3)
                #expect(spare.requestCount == 1)
                try #expect(
                    routed.replica.metric("limpet_retries_total{service=\"main\",reason=\"response_status\"}") == 2)
            }
        }
    }
}
