import Foundation
import LimpetTestKit
import Synchronization
import Testing

extension FleetTests {
    @Suite("A browser that cancels what it has asked for")
    struct HTTP2AbortTests {
        /// Starts 200 requests, cancels all of them once the backend has as many as may be open, and asks on.
        private static let page = """
            <!DOCTYPE html><title>cancelled</title><script>
            (async () => {
                await fetch("/begin");
                const all = [], leaving = new AbortController(), begun = fetch("/begun");
                for (let number = 0; number < 200; number++) {
                    const held = fetch("/held?" + number, { signal: leaving.signal });
                    all.push(held.then(() => "answered", error => error.name));
                }
                await begun;
                leaving.abort();
                const names = new Set(await Promise.all(all));
                const after = [];
                for (let number = 0; number < 50; number++) after.push(fetch("/after?" + number));
                const good = (await Promise.all(after)).filter(answer => answer.ok).length;
                fetch("/said?" + [...names].join() + "," + good);
            })();
            </script>
            """

        /// The requests that are held, and what the page said in the end.
        private final class Seen: Sendable {
            /// How many streams the browser may have beside one that waits for them.
            let most: Int
            private let state = Mutex((held: 0, all: 0, said: [String]()))

            init(most: Int) { self.most = most }

            var held: Int { state.withLock { $0.held } }
            var said: [String] { state.withLock { $0.said } }
            var areAllHeld: Bool { state.withLock { $0.all >= most } }

            func hold(_ connection: TCPSocket) {
                state.withLock { ($0.held, $0.all) = ($0.held + 1, $0.all + 1) }
                while (try? connection.receive())?.isEmpty == false {}
                state.withLock { $0.held -= 1 }
            }

            func say(_ text: Substring) { state.withLock { $0.said.append(String(text)) } }
        }

        private static func backend(_ seen: Seen) throws -> ScriptedBackend {
            try ScriptedBackend { connection, _ in
                while true {
                    let target = try connection.receive(until: "\r\n\r\n").split(separator: " ")[1]
                    if target.hasPrefix("/held?") { return seen.hold(connection) }
                    if target == "/begun" { _ = Waiting.until(within: 15) { seen.areAllHeld } }
                    if target.hasPrefix("/said?") { seen.say(target.dropFirst(6)) }
                    let body = target == "/" ? page : ""
                    try connection.send(
                        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nCache-Control: no-store\r\n"
                            + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)")
                }
            }
        }

        private static let dynamic = """
            tls: { certificates: [{ certFile: "DIR/served.pem", keyFile: "DIR/served.key" }] }
            http:
              routers: { app: { rule: "PathPrefix(`/`)", service: app, tls: true } }
              services: { app: { loadBalancer: { servers: [{ url: "SERVER" }] } } }

            """

        @Test(
            "cancels 200 streams at once, of which all are open or a hundred, and goes on over the same connection",
            .enabled(if: Browser.path != nil, "SKIPPED: LIMPET_TEST_BROWSER does not name a Chromium"),
            arguments: [100, 250])
        func cancels(streams: Int) async throws {
            try await Threads.run {
                let seen = Seen(most: min(200, streams - 1))
                let backend = try Self.backend(seen)
                defer { backend.close() }
                let dynamic = Self.dynamic.replacingOccurrences(of: "SERVER", with: "http://127.0.0.1:\(backend.port)")
                let entryPoint = ", http2: { maxConcurrentStreams: \(streams) }"
                try withTLSFleet(TLSFleet(dynamic, entryPoint: entryPoint)) { fleet in
                    try Browser.visit(fleet, until: { !seen.said.isEmpty }, seen: "\(seen.held) are held") { _ in
                        #expect(seen.said == ["AbortError,50"])
                        #expect(seen.areAllHeld)
                        // Each is cancelled at the backend, too.
                        #expect(Waiting.until(within: 10) { seen.held == 0 })
                        let connections = try HTTP2BrowserTests.ports(of: "/held", fleet)
                        #expect(connections.count == 1)
                        #expect(
                            Waiting.until(within: 10) {
                                (try? HTTP2BrowserTests.ports(of: "/after", fleet)) == connections
                            })
                        #expect(try !fleet.metrics().contains("limpet_http2_floods_total{"))
                    }
                }
            }
        }
    }
}
