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

        /// A backend that answers each request with these fields and its name.
        private static func saying(_ name: String, _ fields: @escaping @Sendable () -> String) throws -> ScriptedBackend
        {
            try ScriptedBackend { connection, _ in
                while true {
                    _ = try connection.receive(until: "\r\n\r\n")
                    try connection.send(
                        "HTTP/1.1 200 OK\r\n\(fields())Content-Length: \(name.utf8.count)\r\n\r\n\(name)")
                }
            }
        }

        @Test("in a field of the response, and by two backends at once: the first wins, on all replicas")
        func race() async throws {
            let round = Mutex(0)
            let backends = try (0..<3).map { number in
                try Self.saying("own\(number)") { "Mcp-Session-Id: key-\(round.withLock { $0 })\r\n" }
            }
            defer { backends.forEach { $0.close() } }
            let options = Fleet.Options(
                backends: 0, sticky: "header: { name: Mcp-Session-Id, learn: true }", ownBackends: backends.map(\.port))
            try await withFleet(options) { fleet in
                var contested = 0
                for number in 0..<30 {
                    round.withLock { $0 = number }
                    let issuers = try await Threads.run(9) { client in
                        try HTTPConnection(port: fleet.ports[client % 3]).exchange(HTTPRequest()).text
                    }
                    if Set(issuers).count > 1 { contested += 1 }
                    try await Threads.run {
                        let homes = try fleet.ports.map { port in
                            try HTTPConnection(port: port).exchange(
                                HTTPRequest(fields: ["Mcp-Session-Id": "key-\(number)"])
                            ).text
                        }
                        #expect(Set(homes).count == 1 && issuers.contains(homes[0]), "\(homes)")
                    }
                }
                #expect(contested > 20)
                try #expect(fleet.records().count == 30)
            }
        }

        @Test("hold a response no longer than the budget while the store hangs")
        func hangingStore() async throws {
            let backend = try Self.saying("own") { "Set-Cookie: APPID=key-\(UInt64.random(in: 0 ... .max))\r\n" }
            defer { backend.close() }
            let options = Fleet.Options(
                replicas: 1, backends: 0, budget: "200ms", sticky: "appCookie: { name: APPID, learn: true }",
                ownBackends: [backend.port])
            try await withFleet(options) { fleet in
                try await Threads.run {
                    let client = try HTTPConnection(port: fleet.ports[0])
                    #expect(try client.exchange(HTTPRequest()).text == "own")
                    let redis = try fleet.redis
                    redis.freeze()
                    defer { redis.thaw() }
                    var times: [Duration] = []
                    for _ in 0..<6 {
                        let begin = ContinuousClock.now
                        let response = try client.exchange(HTTPRequest())
                        times.append(ContinuousClock.now - begin)
                        #expect(response.text == "own" && response["Set-Cookie"]?.hasPrefix("APPID=key-") == true)
                    }
                    #expect(times[0] >= .milliseconds(150), "it was held")
                    #expect(times.allSatisfy { $0 < .milliseconds(600) }, "\(times)")
                    // By then the store is not asked any more.
                    #expect(times[5] < .milliseconds(150))
                }
            }
        }
    }
}
