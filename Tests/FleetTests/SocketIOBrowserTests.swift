import Foundation
import LimpetTestKit
import Synchronization
import Testing

extension FleetTests {
    @Suite("Socket.IO in a browser over HTTP/2")
    struct SocketIOBrowserTests {
        private static let sessions = 9

        /// Each session has a host, and so cookies, of its own. It begins with polling at one replica, goes on at the
        /// next, and becomes a WebSocket (Engine.IO 4) at the third. Says for each who answered, and three times more.
        private static let page = """
            <!DOCTYPE html><title>chat</title><script>
            const ports = [PORTS];
            const place = (session, replica) =>
                "://s" + session + ".shop.example:" + ports[replica % 3] + "/socket.io/?EIO=4&transport=";
            const poll = async (session, replica, sid, body) => {
                const address = "https" + place(session, replica) + "polling" + sid;
                const answer = await fetch(address, { credentials: "include", method: body ? "POST" : "GET", body });
                return answer.text();
            };
            const heard = (socket, beginning) => new Promise((done, failed) => {
                socket.onerror = () => failed("the WebSocket fails");
                socket.onclose = () => failed("the WebSocket closes");
                socket.onmessage = message => { if (message.data.startsWith(beginning)) done(message.data); };
            });
            const opened = socket => new Promise((done, failed) => { socket.onopen = done; socket.onerror = failed; });
            const name = packet => JSON.parse(packet.slice(packet.indexOf("[")))[0];
            const talk = async session => {
                const sid = "&sid=" + JSON.parse((await poll(session, session, "")).slice(1)).sid;
                await poll(session, session + 1, sid, "40");
                await poll(session, session + 1, sid);
                await poll(session, session + 2, sid, '420["who",""]');
                const names = [name(await poll(session, session + 2, sid))];
                const socket = new WebSocket("wss" + place(session, session + 2) + "websocket" + sid);
                await opened(socket);
                socket.send("2probe");
                await heard(socket, "3probe");
                socket.send("5");
                for (let number = 1; number <= 3; number++) {
                    socket.send("42" + number + '["who",""]');
                    names.push(name(await heard(socket, "43" + number)));
                }
                socket.onclose = null;
                socket.close();
                return names.join();
            };
            (async () => {
                const all = [];
                for (let session = 0; session < SESSIONS; session++) all.push(talk(session).catch(error => "" + error));
                fetch("/said?" + encodeURIComponent((await Promise.all(all)).join(";")));
            })();
            </script>
            """

        private static let dynamic = """
            tls: { certificates: [{ certFile: "DIR/served.pem", keyFile: "DIR/served.key" }] }
            http:
              routers:
                page: { rule: "Host(`shop.example`)", service: page, tls: true }
                chat: { rule: "PathPrefix(`/socket.io/`)", service: chat, tls: true }
              services:
                page: { loadBalancer: { servers: [{ url: "PAGE" }] } }
                chat: { loadBalancer: { sticky: { cookie: { name: io } }, servers: [SERVERS] } }

            """

        /// What the page says in the end, and what it is made of.
        private final class Site: Sendable {
            private let state = Mutex((page: "", said: [String]()))

            var said: [String] { state.withLock { $0.said } }

            func publish(_ page: String) { state.withLock { $0.page = page } }

            func serve() throws -> ScriptedBackend {
                try ScriptedBackend { connection, _ in
                    while true {
                        let target = try connection.receive(until: "\r\n\r\n").split(separator: " ")[1]
                        if target.hasPrefix("/said?") {
                            self.state.withLock { $0.said.append(target.dropFirst(6).removingPercentEncoding ?? "") }
                        }
                        let body = target == "/" ? self.state.withLock { $0.page } : ""
                        try connection.send(
                            "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
                                + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)")
                    }
                }
            }
        }

        /// The WebSockets that a replica has carried over HTTP/2, from its access log.
        private static func webSockets(_ fleet: TLSFleet, _ replica: Int) throws -> Int {
            try TextFile.read("\(fleet.directory)/r\(replica).access").split(separator: "\n").count {
                $0.contains("transport=websocket") && $0.contains("\"HTTP/2.0\"")
                    && $0.contains("\"RequestMethod\":\"GET\"")
            }
        }

        @Test(
            "polls at two replicas, becomes a WebSocket at a third, and stays with its server",
            .enabled(
                if: Browser.path != nil && SocketIOTests.python != nil,
                "SKIPPED: there is no Chromium (LIMPET_TEST_BROWSER), or no Python with python-socketio and aiohttp"))
        func upgrades() async throws {
            let python = try #require(SocketIOTests.python)
            try await Threads.run {
                let site = Site()
                let backend = try site.serve()
                defer { backend.close() }
                let redis = try RedisServer()
                let ports = try (0..<3).map { _ in try LoopbackPort.free() }
                let servers = ports.enumerated().map { "{ url: \"http://127.0.0.1:\($1)\", name: own\($0) }" }
                let fleet = try TLSFleet(
                    secrets: Array(repeating: TLSFleet.secret, count: 3),
                    Self.dynamic.replacingOccurrences(of: "PAGE", with: "http://127.0.0.1:\(backend.port)")
                        .replacingOccurrences(of: "SERVERS", with: servers.joined(separator: ", ")),
                    settings: "store: { redis: { endpoints: [\"redis://127.0.0.1:\(redis.port)/0\"] } }")
                site.publish(
                    Self.page.replacingOccurrences(of: "SESSIONS", with: "\(Self.sessions)")
                        .replacingOccurrences(
                            of: "PORTS", with: fleet.replicas.map { "\($0.port)" }.joined(separator: ", ")))
                try withTLSFleet(fleet) { fleet in
                    let program = "\(fleet.directory)/chat.py"
                    try TextFile.write(SocketIOTests.program, to: program)
                    try PythonPeers.serve(ports, in: fleet.directory, [python, program]) {
                        try Self.visit(fleet, site)
                    }
                }
            }
        }

        private static func visit(_ fleet: TLSFleet, _ site: Site) throws {
            try Browser.visit(fleet, until: { !site.said.isEmpty }) { _ in
                let sessions = site.said[0].split(separator: ";").map { $0.split(separator: ",") }
                #expect(sessions.count == Self.sessions)
                #expect(sessions.allSatisfy { $0.count == 4 && Set($0).count == 1 }, "\(site.said)")
                #expect(Set(sessions.joined()).count > 1)
                for replica in fleet.replicas.indices {
                    #expect(
                        Waiting.until(within: 10) { (try? webSockets(fleet, replica)) == Self.sessions / 3 },
                        "\((try? TextFile.read("\(fleet.directory)/r\(replica).access")) ?? "")")
                }
            }
        }
    }
}
