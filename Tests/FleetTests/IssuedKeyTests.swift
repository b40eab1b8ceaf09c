import LimpetTestKit
import Synchronization
import Testing

extension FleetTests {
    @Suite("Session keys that backends issue, on a fleet")
    struct IssuedKeyTests {
        /// A backend that issues a key of its own to whoever presents none, and says its name.
        private static func issuing(_ name: String) throws -> ScriptedBackend {
            let count = Mutex(0)
            return try ScriptedBackend { connection, _ in
                while true {
                    let head = try connection.receive(until: "\r\n\r\n")
                    let number = count.withLock { count in
                        count += 1
                        return count
                    }
                    let cookie = head.contains("Cookie: ") ? "" : "Set-Cookie: APPID=\(name)-\(number); Path=/\r\n"
                    let length = "Content-Length: \(name.utf8.count)\r\n"
                    try connection.send("HTTP/1.1 200 OK\r\n\(cookie)\(length)\r\n\(name)")
                }
            }
        }

        @Test("lead the very next request to the backend that issued them, whichever replica it comes to")
        func nextRequest() async throws {
            let backends = try (0..<3).map { try Self.issuing("own\($0)") }
            defer { backends.forEach { $0.close() } }
            let options = Fleet.Options(
                backends: 0, sticky: "appCookie: { name: APPID, learn: true }", ownBackends: backends.map(\.port))
            try await withFleet(options) { fleet in
                try await Threads.run {
                    let clients = try fleet.ports.map { try HTTPConnection(port: $0) }
                    var homes: Set<String> = []
                    for number in 0..<60 {
                        let first = try clients[number % clients.count].exchange(HTTPRequest())
                        let cookie = try #require(first["Set-Cookie"]).prefix { $0 != ";" }
                        homes.insert(first.text)
                        for offset in 1...3 {
                            let client = clients[(number + offset) % clients.count]
                            let next = try client.exchange(HTTPRequest(fields: ["Cookie": "a=b; \(cookie)"]))
                            #expect(next.text == first.text, "\(cookie) at the replica \(offset) further")
                        }
                    }
                    #expect(homes.count == 3)
                    #expect(try fleet.records().count == 60)
                }
            }
        }
    }
}
