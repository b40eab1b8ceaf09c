import Foundation
import LimpetTestKit
import Synchronization
import Testing

extension FleetTests {
    @Suite("Changes while everything is in use")
    struct CanaryTests {
        /// How long it lasts: `LIMPET_CANARY_SECONDS`. From a minute on, it ends with a stop that closes tunnels.
        private static let seconds =
            ProcessInfo.processInfo.environment["LIMPET_CANARY_SECONDS"].flatMap(Double.init) ?? 10
        private static let sessions = (0..<60).map { "session-\($0)" }

        private final class Downloads: Sendable {
            let complete = Mutex(0)
            let failures = Mutex<[String]>([])
            let isOver = Mutex(false)

            /// One after the other, from whichever replica takes the connection.
            func run(_ fleet: Fleet, _ number: Int) {
                var replica = number
                while !isOver.withLock({ $0 }) {
                    replica += 1
                    guard let connection = try? HTTPConnection(port: fleet.ports[replica % 2]) else { continue }
                    do {
                        try connection.send(HTTPRequest("GET", "/download", fields: ["X-Session-ID": "d\(number)"]))
                        // One that a stopping replica never took is reset, and asked for elsewhere.
                        guard let head = try? connection.receiveHead() else { continue }
                        var left = Int(head["Content-Length"] ?? "") ?? -1
                        while left > 0 {
                            let bytes = try connection.receiveBody()
                            guard !bytes.isEmpty else { break }
                            left -= bytes.count
                        }
                        guard head.status == 200, left == 0 else {
                            throw Unexpected(description: "status \(head.status), \(left) bytes are missing")
                        }
                        complete.withLock { $0 += 1 }
                    } catch {
                        failures.withLock { $0.append("\(error)") }
                    }
                }
            }
        }

        private static func options(_ backends: [ScriptedBackend]) -> Fleet.Options {
            var options = Fleet.Options(replicas: 2, backends: 0, dynamic: .init())
            options.ownBackends = backends.map(\.port)
            return options
        }

        @Test(
            "reloads, and restarts of one replica: no request fails, no session moves, downloads finish, tunnels stay",
            .timeLimit(.minutes(4)))
        func canary() async throws {
            let backends = try ["own0", "own1"].map { try CanaryBackend.start($0) }
            defer { for backend in backends { backend.close() } }
            try await withFleet(Self.options(backends)) { fleet in
                let home = try await fleet.agreement(on: Self.sessions)
                let tunnels = try await Threads.run {
                    try (0..<6).map { try CanaryTunnel(fleet.replicas[1], session: Self.sessions[$0]) }
                }
                let downloads = Downloads()
                async let downloading: [Void] = Threads.run(4) { downloads.run(fleet, $0) }
                let load = FixedRate(rate: 300, threads: 12, movesOn: true)
                let changes = Mutex((reloads: 0, restarts: 0))
                let samples = try await fleet.underLoad(load) { number in
                    (Self.sessions[number % Self.sessions.count], number / 7 % 2)
                } _: { progress in
                    defer { downloads.isOver.withLock { $0 = true } }
                    let end = ContinuousClock.now + .seconds(Self.seconds)
                    while ContinuousClock.now < end {
                        for _ in 0..<2 {
                            let before = try fleet.replicas.map { try $0.reloads() }
                            let number = changes.withLock { changes in
                                changes.reloads += 1
                                return changes.reloads
                            }
                            try fleet.say(fleet.http.replacing("`/other`", with: "`/other\(number)`"))
                            try #expect(fleet.allReloaded(since: before))
                            for tunnel in tunnels { try #expect(tunnel.isAlive()) }
                            try progress.awaitRequests(100)
                        }
                        try #expect(fleet.restartReplica(0) == .exited(0))
                        changes.withLock { $0.restarts += 1 }
                        try progress.awaitRequests(100)
                    }
                }
                _ = try await downloading
                let (reloads, restarts) = changes.withLock { $0 }
                let complete = downloads.complete.withLock { $0 }
                print("\(reloads) reloads, \(restarts) restarts, \(complete) downloads: \(samples.figures)")
                #expect(samples.failures.isEmpty)
                #expect(samples.backends.filter { $0.value != home[$0.key].map { [$0] } }.isEmpty)
                #expect(downloads.failures.withLock { $0 }.isEmpty)
                #expect(complete >= 4 && restarts >= 2)
                try await Threads.run { try Self.end(tunnels, fleet.replicas[1]) }
            }
        }

        /// Closes the tunnels, or has the replica close them at its stop.
        private static func end(_ tunnels: [CanaryTunnel], _ replica: LimpetProcess) throws {
            for tunnel in tunnels { try #expect(tunnel.isAlive()) }
            guard seconds >= 60 else { return tunnels.forEach { $0.socket.close() } }
            replica.process.signal(SIGTERM)
            for tunnel in tunnels {
                tunnel.socket.setTimeout(seconds: 40)
                try #expect(tunnel.socket.receiveAll() == [0x88, 2, 0x03, 0xE9])
                tunnel.socket.close()
            }
            #expect(replica.process.waitForEnd(within: 10) == .exited(0))
        }
    }
}
