import Foundation
import LimpetTestKit
import Synchronization
import Testing

extension FleetTests {
    @Suite("A backend goes away")
    struct BackendFailureTests {
        private static let sessions = (0..<60).map { "session-\($0)" }

        @Test("the sessions of a killed backend move once, to the same one at every replica, and stay there")
        func killed() async throws {
            try await withFleet { fleet in
                let home = try await fleet.agreement(on: Self.sessions)
                try await Threads.run { fleet.backends[1].process.kill() }
                let moved = try await fleet.agreement(after: home, lost: "b1")
                for (session, backend) in home {
                    if backend == "b1" { #expect(moved[session] != "b1") } else { #expect(moved[session] == backend) }
                }
                let epochs = try fleet.records().values.map(\.epoch)
                #expect(epochs.count { $0 == 2 } == home.values.count { $0 == "b1" })
                #expect(epochs.allSatisfy { $0 == 1 || $0 == 2 })
                try await fleet.returnBackend(1)
                try await #expect(fleet.agreement(on: Self.sessions) == moved)
            }
        }

        /// How a backend treats a connection.
        private enum Manner: Int, CaseIterable {
            case answers, readsAndCloses, readsAndResets, closesUnread, resetsUnread, readsHalfAndResets
            case answersAndClosesAtTheNext
        }

        /// - Parameter pause: so long, in microseconds, before it goes: when that is, is part of what is tested.
        private static func behave(_ connection: TCPSocket, _ manner: Manner, pause: UInt32, _ seen: Seen) throws {
            func read() throws {
                seen.add(try connection.receive(until: "\r\n\r\n"))
                _ = try connection.receive(until: "body")
            }
            func answer() throws {
                try connection.send("HTTP/1.1 200 OK\r\nX-Backend: own\r\nContent-Length: 0\r\n\r\n")
            }
            switch manner {
            case .answers:
                while true {
                    try read()
                    try answer()
                }
            case .readsAndCloses:
                try read()
                usleep(pause)
            case .readsAndResets:
                try read()
                usleep(pause)
                connection.reset()
            case .closesUnread:
                usleep(pause)
            case .resetsUnread:
                usleep(pause)
                connection.reset()
            case .readsHalfAndResets:
                seen.add(try connection.receive(until: "\r\n"))
                usleep(pause)
                connection.reset()
            case .answersAndClosesAtTheNext:
                try read()
                try answer()
                usleep(pause)
            }
        }

        /// Request lines that backends have read.
        private final class Seen: Sendable {
            private let lines = Mutex<[String: Int]>([:])

            func add(_ head: String) {
                let line = String(head.prefix { !$0.isNewline })
                lines.withLock { $0[line, default: 0] += 1 }
            }

            var counts: [String: Int] { lines.withLock { $0 } }
        }

        @Test("a POST is never sent twice, however and whenever its backend goes")
        func postOnce() async throws {
            let seen = Seen()
            let manners = Manner.allCases
            let backends = try (0..<2).map { offset in
                try ScriptedBackend { connection, number in
                    let manner = manners[(number + 3 * offset) % manners.count]
                    try Self.behave(connection, manner, pause: UInt32(number * 37 % 11) * 300, seen)
                }
            }
            defer { backends.forEach { $0.close() } }
            let options = Fleet.Options(replicas: 1, backends: 0, ownBackends: backends.map(\.port))
            try await withFleet(options) { fleet in
                let statuses = try await Threads.run(4) { thread -> [String: Int] in
                    let client = FleetClient(fleet)
                    var statuses: [String: Int] = [:]
                    for number in 0..<50 {
                        let request = HTTPRequest(
                            "POST", "/\(thread)-\(number)", fields: ["X-Session-ID": "s\(number % 9)"],
                            body: Array("body".utf8))
                        statuses["POST \(request.target) HTTP/1.1"] = try client.exchange(request, at: 0).status
                    }
                    return statuses
                }.reduce(into: [:]) { $0.merge($1) { $1 } }
                let counts = seen.counts
                #expect(statuses.count == 200)
                #expect(counts.values.allSatisfy { $0 == 1 }, "sent again: \(counts.filter { $0.value > 1 })")
                let invented = statuses.filter { $0.value == 200 && counts[$0.key] != 1 }
                #expect(invented.isEmpty, "answered with 200, though no backend read it: \(invented)")
                let kinds = Dictionary(grouping: statuses.values) { $0 }.mapValues(\.count)
                #expect(Set(kinds.keys).isSubset(of: [200, 502, 503]) && kinds.keys.contains(502), "\(kinds)")
            }
        }
    }
}
