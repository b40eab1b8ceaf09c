import Foundation
import LimpetTestKit
import Testing

extension FleetTests {
    @Suite("SIGTERM")
    struct StopTests {
        private struct Stop: Sendable {
            var isSaid = false
            var isRefused = false
            var response: HTTPResponse?
            var seconds = 0.0
            var end: ChildProcess.End?
        }

        @Test("a request under way is answered and told to close; new ones are refused, /ping says 503; the end is 0")
        func stop() async throws {
            let held = try HeldBackend()
            defer { held.close() }
            try await withFleet(.init(replicas: 1, backends: 0, ownBackends: [held.port])) { fleet in
                let stop = try await Threads.run {
                    let replica = fleet.replicas[0]
                    let connection = try HTTPConnection(port: replica.port)
                    try connection.send(HTTPRequest("GET", "/", fields: ["X-Session-ID": "s"]))
                    #expect(held.asked.isSet(within: 5))
                    var stop = Stop()
                    let begin = ContinuousClock.now
                    replica.process.signal(SIGTERM)
                    stop.isSaid = Waiting.until(within: 1) { (try? replica.admin("/ping"))?.status == 503 }
                    stop.isRefused = Waiting.until(within: 1) { replica.refusesConnections }
                    held.released.set()
                    stop.response = try connection.receive()
                    connection.socket.close()
                    stop.end = replica.process.waitForEnd(within: 5)
                    stop.seconds = (ContinuousClock.now - begin) / .seconds(1)
                    return stop
                }
                #expect(stop.isSaid, "/ping did not say 503")
                #expect(stop.isRefused, "connections were still taken")
                #expect(stop.response?.status == 200)
                #expect(stop.response?["Connection"] == "close")
                #expect(stop.end == .exited(0))
                #expect(stop.seconds < 5)
            }
        }

        @Test("connections are refused at once also while an Engine is being connected to")
        func silentEngine() async throws {
            try await Threads.run {
                let engine = try FullListener()
                defer { withExtendedLifetime(engine) {} }
                let routed = try RoutedReplica(
                    backends: 0, "http: {}",
                    providers: ", docker: { endpoint: \"tcp://127.0.0.1:\(engine.port)\" }")
                defer { _ = routed.end() }
                // It would go on trying for seconds.
                #expect(Waiting.until(within: 10) { engine.isTried })
                routed.replica.process.signal(SIGTERM)
                #expect(Waiting.until(within: 1) { routed.replica.refusesConnections })
                #expect(routed.replica.process.waitForEnd(within: 3) == .exited(0))
            }
        }
    }
}
