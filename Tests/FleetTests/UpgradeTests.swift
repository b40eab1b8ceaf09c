import Foundation
import LimpetTestKit
import Testing

extension FleetTests {
    @Suite("Upgrades through real replicas")
    struct UpgradeTests {
        private static let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\n"
        private static let accepts =
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"

        /// A backend that switches, says its name in one frame, and sends back what it receives.
        private static func switching(_ name: String) throws -> ScriptedBackend {
            try ScriptedBackend { connection, _ in
                _ = try connection.receive(until: "\r\n\r\n")
                connection.setTimeout(seconds: 60)
                try connection.send(Array(accepts.utf8) + [0x82, UInt8(name.utf8.count)] + Array(name.utf8))
                while case let bytes = try connection.receive(), !bytes.isEmpty { try connection.send(bytes) }
            }
        }

        private static func open(_ replica: LimpetProcess, _ session: String) throws -> (TCPSocket, name: String) {
            let client = try TCPSocket(port: replica.port)
            try client.send("GET / HTTP/1.1\r\nHost: h\r\nX-Session-ID: \(session)\r\n\(upgrade)\r\n")
            try #expect(client.receive(until: "\r\n\r\n").hasPrefix("HTTP/1.1 101 "))
            let header = try client.receive(upTo: 2)
            return (client, String(decoding: try client.receive(upTo: Int(header.last ?? 0)), as: UTF8.self))
        }

        @Test("a session's tunnel goes to its backend, on whichever replica; the log says how it ended")
        func affinity() async throws {
            let backends = try (0..<3).map { try Self.switching("own\($0)") }
            defer { for backend in backends { backend.close() } }
            var options = Fleet.Options(replicas: 3, backends: 0)
            options.ownBackends = backends.map(\.port)
            options.hasAccessLog = true
            try await withFleet(options) { fleet in
                try await Threads.run {
                    var names: Set<String> = []
                    for session in 0..<12 {
                        let found = try fleet.replicas.map { replica in
                            let (client, name) = try Self.open(replica, "session-\(session)")
                            try client.send("ping")
                            #expect(try client.receive(until: "ping") == "ping")
                            client.close()
                            return name
                        }
                        #expect(Set(found).count == 1, "\(found)")
                        names.formUnion(found)
                    }
                    #expect(names.count > 1)
                    let path = fleet.accessLog(of: 0)
                    #expect(
                        Waiting.until(within: 5) {
                            let lines =
                                (try? String(contentsOfFile: path, encoding: .utf8))?.split(separator: "\n") ?? []
                            return lines.count == 12
                                && lines.allSatisfy {
                                    $0.contains("\"DownstreamStatus\":101")
                                        && $0.contains("\"Reason\":\"client_closed\"")
                                }
                        })
                }
            }
        }

        @Test("a WebSocket is left alone by a stop until its deadline, and then closed with 1001")
        func stop() async throws {
            let backend = try Self.switching("own0")
            defer { backend.close() }
            try await withFleet(.init(replicas: 1, backends: 0, ownBackends: [backend.port])) { fleet in
                try await Threads.run {
                    let replica = fleet.replicas[0]
                    let client = try Self.open(replica, "s").0
                    client.setTimeout(seconds: 40)
                    let began = ContinuousClock.now
                    replica.process.signal(SIGTERM)
                    #expect(Waiting.until(within: 5) { replica.refusesConnections })
                    // An empty text frame, which the backend sends back.
                    try client.send([0x81, 0x80, 1, 2, 3, 4])
                    #expect(try client.receive(upTo: 6) == [0x81, 0x80, 1, 2, 3, 4])
                    #expect(try client.receiveAll() == [0x88, 2, 0x03, 0xE9])
                    #expect((ContinuousClock.now - began) / .seconds(1) > 25)
                    client.close()
                    #expect(replica.process.waitForEnd(within: 8) == .exited(0))
                }
            }
        }
    }
}
