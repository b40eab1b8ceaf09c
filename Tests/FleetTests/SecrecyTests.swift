import Foundation
import LimpetTestKit
import Testing

extension FleetTests {
    @Suite("What must not be seen, and what must have no effect")
    struct SecrecyTests {
        private static let password = "the-password-of-the-store"
        private static let options = Fleet.Options(
            store: .running(["--requirepass", password]), password: password,
            sticky: "header: X-Session-ID, query: sid, appCookie: APPID, cookie: { name: sid }", log: "level: trace",
            hasAccessLog: true)

        @Test(
            "a cookie that is forged, cut, altered or of another service begins a new session, everywhere, without error"
        )
        func forged() async throws {
            try await withFleet(.init(backends: 2, sticky: "cookie: { name: sid }")) { fleet in
                let client = try await Threads.run { try Self.cookies(of: fleet) }
                for (reason, cookie) in client.forged {
                    let answers = try await Threads.run {
                        try (0..<3).map { replica in
                            try FleetClient(fleet).exchange(HTTPRequest(fields: ["Cookie": cookie]), at: replica)
                        }
                    }
                    #expect(answers.allSatisfy { $0.status == 200 }, "\(reason)")
                    let cookies = answers.map(\.cookie)
                    #expect(Set(cookies).count == 3 && !cookies.contains(nil), "\(reason): not three new sessions")
                    #expect(!cookies.contains(client.own), "\(reason)")
                }
                for own in [client.own, "sid=\"\(client.own.dropFirst(4))\""] {
                    let backends = try await Threads.run {
                        try (0..<3).map { try FleetClient(fleet).backend(HTTPRequest(fields: ["Cookie": own]), at: $0) }
                    }
                    #expect(backends == Array(repeating: client.backend, count: 3))
                }
                try #expect(fleet.records().count == 1)
            }
        }

        @Test(
            "of two cookies of one name a genuine one counts, wherever it is, and of two genuine ones the same everywhere"
        )
        func doubled() async throws {
            try await withFleet(.init(backends: 2, sticky: "cookie: { name: sid }")) { fleet in
                try await Threads.run {
                    let client = FleetClient(fleet)
                    var cookies: [String: String] = [:]
                    while cookies.count < 2 {
                        let answer = try client.exchange(HTTPRequest(), at: 0)
                        let cookie = try #require(answer.cookie)
                        cookies[try answer.servedBy()] = cookie
                    }
                    func backends(_ cookies: String) throws -> [String] {
                        try fleet.replicas.indices.map {
                            try client.backend(HTTPRequest(fields: ["Cookie": cookies]), at: $0)
                        }
                    }
                    for (backend, cookie) in cookies {
                        for forged in ["sid=x", "sid=", "sid=" + String(repeating: "A", count: 9000), "\(cookie)A"] {
                            for both in ["\(forged); \(cookie)", "\(cookie); \(forged)"] {
                                try #expect(backends(both) == [backend, backend, backend], "\(both)")
                            }
                        }
                    }
                    let (one, other) = (try #require(cookies["b0"]), try #require(cookies["b1"]))
                    for both in ["\(one); \(other)", "\(other); \(one)"] {
                        try #expect(Set(backends(both)).count == 1, "\(both)")
                    }
                }
            }
        }

        private struct Cookies: Sendable {
            let own: String
            let backend: String
            let forged: [(reason: String, cookie: String)]
        }

        private static func cookies(of fleet: Fleet) throws -> Cookies {
            let client = FleetClient(fleet)
            let response = try client.exchange(HTTPRequest(), at: 0)
            let foreign = try client.exchange(HTTPRequest("GET", "/other"), at: 0)
            guard let own = response.cookie, let other = foreign.cookie else {
                throw Unexpected(description: "no cookie")
            }
            var forged = [
                ("of another service", other), ("cut", String(own.dropLast())), ("longer", own + "A"),
                ("empty", "sid="), ("half quoted", "sid=\"\(own.dropFirst(4))"),
                ("long", "sid=" + String(repeating: "A", count: 8000)),
                ("a backend's name", "sid=b1"), ("strange", "sid=%00%ff<script>'--"),
            ]
            let text = Array(own)
            for place in stride(from: 4, to: text.count, by: 7) {
                var altered = text
                altered[place] = altered[place] == "A" ? "B" : "A"
                forged.append(("altered at \(place)", String(altered)))
            }
            return Cookies(own: own, backend: try response.servedBy(), forged: forged)
        }

        @Test("no key, cookie, password or secret is in the store's keys, the metrics or any log")
        func secrets() async throws {
            try await withFleet(Self.options) { fleet in
                let (secrets, cookie) = try await Threads.run { try Self.useAll(fleet) }
                let logs = try await Threads.run {
                    // A look at what it says when things go wrong, too.
                    fleet.backends[0].process.kill()
                    _ = try? FleetClient(fleet).exchange(HTTPRequest(fields: ["Cookie": cookie]), at: 0)
                    let metrics = try fleet.replicas.map { try $0.admin("/metrics").text }
                    fleet.replicas.forEach { $0.stop() }
                    return try fleet.replicas.flatMap { replica in
                        try [
                            replica.errorLog, TextFile.read(replica.process.outputPath),
                            TextFile.read(replica.log + ".access"),
                        ]
                    } + metrics
                }
                #expect(logs.contains { $0.contains("\"RequestPath\":\"/find?sid=REDACTED\"") })
                let keys = try fleet.redis.command("-a", Self.password, "--no-auth-warning", "--scan")
                    .split(separator: "\n")
                #expect(keys.count > 3)
                let allowed = /fleettest:([A-Za-z0-9_\-]{22}|era|hb:[0-9a-f]{16})/
                #expect(try keys.allSatisfy { try allowed.wholeMatch(in: $0) != nil }, "\(keys)")
                for (name, secret) in secrets {
                    #expect(!keys.contains { $0.contains(secret) }, "\(name) is in a key of the store")
                    let places = logs.indices.filter { logs[$0].contains(secret) }
                    #expect(places.isEmpty, "\(name) is in outputs \(places)")
                }
            }
        }

        /// Sends one session of each kind to all replicas. Returns what must be seen nowhere, and our cookie.
        private static func useAll(_ fleet: Fleet) throws -> ([(name: String, secret: String)], cookie: String) {
            let client = FleetClient(fleet)
            guard let cookie = try client.exchange(HTTPRequest(), at: 0).cookie else {
                throw Unexpected(description: "no cookie")
            }
            let requests = [
                HTTPRequest(fields: ["X-Session-ID": "key-in-header"]), HTTPRequest("GET", "/find?sid=key-in-query"),
                HTTPRequest(fields: ["Cookie": "APPID=key-in-cookie"]), HTTPRequest(fields: ["Cookie": cookie]),
                HTTPRequest(fields: ["Cookie": cookie + "AAAA", "Authorization": "Bearer key-of-the-user"]),
            ]
            for request in requests {
                for replica in fleet.ports.indices { _ = try client.backend(request, at: replica) }
            }
            let value = String(cookie.dropFirst("sid=".count))
            let secrets = [
                ("the header's key", "key-in-header"), ("the query's key", "key-in-query"),
                ("the application's cookie", "key-in-cookie"), ("our cookie", value),
                ("a part of our cookie", String(value.prefix(20))), ("the user's token", "key-of-the-user"),
                ("the fleet secret", Fleet.secret), ("the password", password),
            ]
            return (secrets, cookie)
        }
    }
}
