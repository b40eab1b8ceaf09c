import Foundation
import LimpetTestKit
import Synchronization
import Testing

extension FleetTests {
    @Suite("One session, one backend")
    struct AgreementTests {
        private static let sessions = (0..<200).map { "session-\($0)" }

        /// All requests go out before any response is read; the connections are spread over the replicas.
        private static func atOnce(_ requests: [HTTPRequest], _ connections: [HTTPConnection]) throws -> [HTTPResponse]
        {
            for (request, connection) in zip(requests, connections) { try connection.send(request) }
            return try connections.prefix(requests.count).map { try $0.receive() }
        }

        private static func connections(_ fleet: Fleet, _ count: Int) throws -> [HTTPConnection] {
            let ports = fleet.ports
            return try (0..<count).map { try HTTPConnection(port: ports[$0 % ports.count]) }
        }

        @Test("eight first requests at once, over three replicas, get one backend; 200 sessions are spread")
        func firstRequests() async throws {
            try await withFleet { fleet in
                let served = try await Threads.run(4) { thread -> [String: Set<String>] in
                    let connections = try Self.connections(fleet, 8)
                    var served: [String: Set<String>] = [:]
                    for session in Self.sessions[thread * 50..<thread * 50 + 50] {
                        let request = HTTPRequest(fields: ["X-Session-ID": session])
                        let responses = try Self.atOnce(Array(repeating: request, count: 8), connections)
                        served[session] = Set(try responses.map { try $0.servedBy() })
                    }
                    return served
                }.reduce(into: [:]) { $0.merge($1) { $1 } }
                #expect(served.count == 200)
                let torn = served.filter { $0.value.count != 1 }
                #expect(torn.isEmpty, "sessions with several backends: \(torn)")
                #expect(Set(served.values.flatMap(\.self)).count >= 2)
                let later = try await fleet.agreement(on: Self.sessions)
                #expect(later.allSatisfy { served[$0.key] == [$0.value] })
            }
        }

        @Test("a session of our own cookie is at its backend at all replicas at once")
        func affinityCookie() async throws {
            try await withFleet(.init(sticky: "cookie: { name: sid }")) { fleet in
                let torn = try await Threads.run {
                    let connections = try Self.connections(fleet, 9)
                    var torn: [String] = []
                    for number in 0..<100 {
                        let first = try connections[number % 9].exchange(HTTPRequest())
                        let backend = try first.servedBy()
                        guard let cookie = first.cookie else {
                            torn.append("no cookie")
                            continue
                        }
                        let request = HTTPRequest(fields: ["Cookie": "a=b; \(cookie)"])
                        let later = try Self.atOnce(Array(repeating: request, count: 9), connections)
                        for response in later where try response.servedBy() != backend || response.cookie != nil {
                            torn.append(
                                "\(backend), then \(try response.servedBy()), cookie \(response.cookie ?? "none")")
                        }
                    }
                    return torn
                }
                #expect(torn.isEmpty)
                #expect(try fleet.records().count == 100)
            }
        }

        @Test("all replicas restarted at once: every session is where it was")
        func restartAll() async throws {
            try await withFleet { fleet in
                let first = try await fleet.agreement(on: Self.sessions)
                // Many sessions are not where hashing alone would send them.
                try await Threads.run { fleet.backends[1].process.kill() }
                let before = try await fleet.agreement(after: first, lost: "b1")
                try await fleet.returnBackend(1)
                let records = try fleet.records()
                let ends = try await Threads.run(3) { try fleet.restartReplica($0) }
                #expect(ends == Array(repeating: .exited(0), count: 3))
                try await #expect(fleet.agreement(on: Self.sessions) == before)
                try #expect(fleet.records() == records)
            }
        }

        /// A client that is just connecting may be cut off: the kernel resets what nobody has accepted.
        private static func awaitClients(of replica: LimpetProcess, _ count: Double) throws {
            let metric = "limpet_open_connections{entrypoint=\"web\"}"
            guard try Waiting.until(within: 10, { try replica.metric(metric) == count }) else {
                throw Unexpected(description: "\(replica.name) has not got its clients")
            }
        }

        @Test("replicas restarted one by one under load: no request fails, none goes to another backend")
        func rollingRestart() async throws {
            try await withFleet { fleet in
                // Many sessions are not where hashing alone would send them.
                let first = try await fleet.agreement(on: Self.sessions)
                try await Threads.run { fleet.backends[1].process.kill() }
                let home = try await fleet.agreement(after: first, lost: "b1")
                try await fleet.returnBackend(1)
                let isOver = Mutex(false)
                let ports = fleet.ports
                async let clients = Threads.run(6) { client in
                    let client = PatientClient(port: ports[client % ports.count], home: home)
                    while !isOver.withLock({ $0 }) { client.turn() }
                    return client.tally
                }
                let ends = try await Threads.run {
                    defer { isOver.withLock { $0 = true } }
                    return try (0..<3).map { index in
                        try Self.awaitClients(of: fleet.replicas[index], 2)
                        return try fleet.restartReplica(index)
                    }
                }
                let served = try await clients
                #expect(ends == Array(repeating: .exited(0), count: 3))
                #expect(served.flatMap(\.failures).isEmpty)
                #expect(served.allSatisfy { $0.answers > 20 })
                #expect(served.map(\.refused).reduce(0, +) > 0)
            }
        }
    }
}

/// Asks one replica for one session after the other; a refused connection is tried again, anything else is a failure.
/// For one thread.
private final class PatientClient {
    struct Tally: Sendable {
        var answers = 0
        var refused = 0
        var failures: [String] = []
    }

    private(set) var tally = Tally()
    private let port: Int
    private let home: [(session: String, backend: String)]
    private var connection: HTTPConnection?

    init(port: Int, home: [String: String]) {
        self.port = port
        self.home = home.map { ($0.key, $0.value) }
    }

    /// One request, and a pause.
    func turn() {
        let (session, backend) = home[tally.answers % home.count]
        do {
            let connection = try self.connection ?? HTTPConnection(port: port)
            self.connection = connection
            let response = try connection.exchange(HTTPRequest(fields: ["X-Session-ID": session]))
            tally.answers += 1
            if try response.servedBy() != backend { tally.failures.append("\(session) left \(backend)") }
            if response["Connection"] == "close" { self.connection = nil }
        } catch let error as TCPSocket.Failure where error.isRefusal {
            tally.refused += 1
        } catch {
            tally.failures.append("\(error)")
            connection = nil
        }
        Thread.sleep(forTimeInterval: 0.005)
    }
}
