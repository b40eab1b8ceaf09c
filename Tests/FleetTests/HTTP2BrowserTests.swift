import Foundation
import LimpetTestKit
import Synchronization
import Testing

extension FleetTests {
    @Suite("A browser over HTTP/2")
    struct HTTP2BrowserTests {
        /// The backends that saw each session, and what the page said in the end.
        private final class Seen: Sendable {
            private let state = Mutex((backends: [String: Set<Int>](), said: [String]()))

            var backends: [String: Set<Int>] { state.withLock { $0.backends } }
            var said: [String] { state.withLock { $0.said } }

            func add(_ target: Substring, at backend: Int) {
                state.withLock { state in
                    if target.hasPrefix("/said?") { state.said.append(String(target.dropFirst(6))) }
                    guard let session = target.split(separator: "=").last, target.hasPrefix("/image") else { return }
                    state.backends[String(session), default: []].insert(backend)
                }
            }
        }

        /// Loads a hundred images, each of a session of its own, three times over, then talks over a WebSocket.
        private static let page = """
            <!DOCTYPE html><title>images</title><script>
            const load = address => new Promise((done, failed) => {
                const image = new Image();
                image.onload = () => done(); image.onerror = failed; image.src = address;
            });
            const talk = () => new Promise((done, failed) => {
                const socket = new WebSocket("wss://" + location.host + "/socket?sid=1");
                socket.onmessage = message => { done(message.data); socket.close(); };
                socket.onerror = () => done("no");
            });
            performance.setResourceTimingBufferSize(1000);
            (async () => {
                for (let round = 0; round < 3; round++) {
                    const all = [];
                    for (let image = 0; image < 100; image++) all.push(load("/image?round=" + round + "&sid=" + image));
                    await Promise.all(all);
                }
                const used = performance.getEntriesByType("resource").filter(one => one.name.includes("/image"));
                const word = await talk();
                fetch("/said?" + [...new Set(used.map(one => one.nextHopProtocol))].join() + "," + used.length + "," + word);
            })();
            </script>
            """
        private static let image = """
            <svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="9" height="9"/></svg>
            """

        private static func backend(_ number: Int, _ seen: Seen) throws -> ScriptedBackend {
            try ScriptedBackend { connection, _ in
                while true {
                    let head = try connection.receive(until: "\r\n\r\n")
                    let target = head.split(separator: " ")[1]
                    seen.add(target, at: number)
                    if target.hasPrefix("/socket") { return try speak(connection, head) }
                    let isImage = target.hasPrefix("/image")
                    let body = isImage ? image : target == "/" ? page : ""
                    try connection.send(
                        "HTTP/1.1 200 OK\r\nContent-Type: \(isImage ? "image/svg+xml" : "text/html")\r\n"
                            + "Cache-Control: no-store\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
                }
            }
        }

        /// Accepts a WebSocket (RFC 6455, section 4.2.2) and sends one word.
        private static func speak(_ connection: TCPSocket, _ head: String) throws {
            let line = head.split(separator: "\r\n").first { $0.lowercased().hasPrefix("sec-websocket-key: ") }
            let key = line.map { String($0.dropFirst("Sec-WebSocket-Key: ".count)) } ?? ""
            try connection.send(
                "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                    + "Sec-WebSocket-Accept: \(Digest.webSocketAccept(key))\r\n\r\n")
            try connection.send([0x81, 5] + Array("hello".utf8))
            while try !connection.receive().isEmpty {}
        }

        private static let dynamic = """
            tls: { certificates: [{ certFile: "DIR/served.pem", keyFile: "DIR/served.key" }] }
            http:
              routers: { app: { rule: "PathPrefix(`/`)", service: app, tls: true } }
              services: { app: { loadBalancer: { sticky: { query: sid }, servers: [SERVERS] } } }

            """

        /// The client's ports from which a path was asked for over HTTP/2, from the access log.
        static func ports(of path: String, _ fleet: TLSFleet) throws -> Set<Substring> {
            let lines = try TextFile.read("\(fleet.directory)/r0.access").split(separator: "\n")
            return Set(
                lines.filter { $0.contains("\"RequestPath\":\"\(path)?") && $0.contains("\"HTTP/2.0\"") }
                    .compactMap { $0.firstMatch(of: /"ClientPort":"(\d+)"/)?.1 })
        }

        @Test(
            "loads 300 images over one connection, each at its session's backend, and opens a WebSocket",
            .enabled(if: Browser.path != nil, "SKIPPED: LIMPET_TEST_BROWSER does not name a Chromium"))
        func images() async throws {
            let seen = Seen()
            let backends = try (0..<3).map { try Self.backend($0, seen) }
            defer { for backend in backends { backend.close() } }
            let servers = backends.map { "{ url: \"http://127.0.0.1:\($0.port)\" }" }.joined(separator: ", ")
            let dynamic = Self.dynamic.replacingOccurrences(of: "SERVERS", with: servers)
            try await Threads.run {
                try withTLSFleet(TLSFleet(dynamic)) { fleet in
                    try Browser.visit(fleet, until: { !seen.said.isEmpty }) { process in
                        #expect(seen.said == ["h2,300,hello"])
                        let images = seen.backends
                        #expect(images.count == 100 && images.values.allSatisfy { $0.count == 1 })
                        #expect(Set(images.values.joined()).count == 3)
                        process.signal(SIGTERM)
                        // The WebSocket is a stream of the connection that the images came by (RFC 8441).
                        #expect(Waiting.until(within: 10) { (try? Self.ports(of: "/socket", fleet).count) == 1 })
                        let connections = try Self.ports(of: "/image", fleet)
                        #expect(connections.count == 1)
                        try #expect(Self.ports(of: "/socket", fleet) == connections)
                    }
                }
            }
        }
    }
}
