import Foundation
import LimpetTestKit
import Synchronization
import Testing

extension FleetTests {
    /// Five seconds of slow clients; a minute with `LIMPET_LONG_TESTS`.
    @Suite("Slow clients, and one that is not")
    struct SlowClientTests {
        private static let isLong = ProcessInfo.processInfo.environment["LIMPET_LONG_TESTS"] != nil
        private static let seconds = isLong ? 60.0 : 5
        private static let mebi = 1 << 20
        private static let canary = FixedRate(rate: 100, threads: 4)

        /// What the slow clients cost.
        private struct Cost: Sendable {
            /// Resident memory before them, and the most with them, in bytes.
            var idle = 0
            var peak = 0
            /// Requests of others before and beside them.
            var before: [FixedRate.Sample] = []
            var beside: [FixedRate.Sample] = []

            /// On a machine that does other things, too, a p99 of less than 50 ms says little of the replica.
            func check(_ what: String) {
                let (quiet, busy) = (before.lastingP99, beside.lastingP99)
                print(
                    """
                    \(what): \(idle >> 10) KiB idle, \(peak >> 10) KiB at most; others' p99 \
                    \(String(format: "%.1f ms before, %.1f ms beside them", quiet, busy))
                    """)
                #expect(peak <= idle + 64 * mebi)
                #expect(beside.count >= Int(seconds * 90))
                #expect((before + beside).allSatisfy { $0.failure == nil }, "\((before + beside).failures)")
                #expect(busy <= 3 * max(quiet, 50))
            }
        }

        private static let sessions = (0..<20).map { "canary-\($0)" }

        /// Measures the first replica while `slow` runs, which ends at the given moment, beside requests of sessions.
        private static func cost(
            at fleet: Fleet, beside sessions: [String] = sessions,
            of slow: (_ end: ContinuousClock.Instant) async throws -> Void
        ) async throws -> Cost {
            let isOver = Mutex(false)
            let progress = FixedRate.Progress()
            async let samples = canary.run(fleet, isOver: { isOver.withLock { $0 } }, progress: progress) {
                (sessions[$0 % sessions.count], 0)
            }
            var (cost, begin) = (Cost(), 0.0)
            do {
                // The first half makes what is made once.
                try await Threads.run { try progress.awaitRequests(600) }
                cost.idle = try ProcessStatus(fleet.replicas[0].process.pid).resident
                begin = Fleet.wallClock
                try await slow(.now + .seconds(seconds))
                cost.peak = try ProcessStatus(fleet.replicas[0].process.pid).peak
                isOver.withLock { $0 = true }
            } catch {
                isOver.withLock { $0 = true }
                _ = try? await samples
                throw error
            }
            for sample in try await samples where sample.time > 3 {
                if sample.wallTime < begin { cost.before.append(sample) } else { cost.beside.append(sample) }
            }
            return cost
        }

        @Test("a thousand clients that send a byte of their heads each second delay nobody, and cost little")
        func heads() async throws {
            try await withFleet(.init(replicas: 1)) { fleet in
                let cost = try await Self.cost(at: fleet) { end in
                    try await Threads.run { try Self.drip(fleet.ports[0], clients: 1000, until: end) }
                }
                cost.check("1,000 heads that drip")
            }
        }

        /// Each sends a byte a second, one after the other. A client whose connection is closed, for its time is over,
        /// begins again.
        private static func drip(_ port: Int, clients: Int, until end: ContinuousClock.Instant) throws {
            var sockets: [TCPSocket?] = Array(repeating: nil, count: clients)
            let head = Array("GET /\(String(repeating: "a", count: 100))".utf8)
            let pause = 10 / Double(clients)
            var turn = 0
            while ContinuousClock.now < end {
                for index in sockets.indices {
                    do {
                        if sockets[index] == nil { sockets[index] = try TCPSocket(port: port) }
                        try sockets[index]?.send([head[turn % head.count]])
                    } catch let error as TCPSocket.Failure where !error.isTimeout {
                        sockets[index] = nil
                    }
                    // The slowness itself.
                    if index % 10 == 9 { Thread.sleep(forTimeInterval: pause) }
                }
                turn += 1
            }
            for socket in sockets { socket?.reset() }
        }

        @Test("twenty clients that read 1 GiB slowly delay nobody, and cost little")
        func downloads() async throws {
            try await withFleet(.init(replicas: 1, backends: 2)) { fleet in
                // A backend of their own: how it divides its time is not the replica's matter.
                let home = try await fleet.agreement(on: Self.sessions)
                let others = Self.sessions.filter { home[$0] == "b0" }
                let session = try #require(Self.sessions.first { home[$0] == "b1" })
                let cost = try await Self.cost(at: fleet, beside: others) { end in
                    let received = try await Threads.run(20) { _ in
                        try Self.sip(fleet.ports[0], session, until: end)
                    }
                    #expect(received.allSatisfy { $0 > 100 * 4096 && $0 < 1 << 30 }, "\(received)")
                }
                cost.check("20 slow readers")
            }
        }

        /// Reads some 400 KiB a second of a gibibyte; returns how much.
        private static func sip(_ port: Int, _ session: String, until end: ContinuousClock.Instant) throws -> Int {
            let socket = try TCPSocket(port: port)
            try socket.send("GET /bytes?n=\(1 << 30) HTTP/1.1\r\nHost: h\r\nX-Session-ID: \(session)\r\n\r\n")
            var received = 0
            while ContinuousClock.now < end {
                received += try socket.receive(upTo: 4096).count
                Thread.sleep(forTimeInterval: 0.01)
            }
            socket.reset()
            return received
        }

        @Test("twenty uploads that their backend does not take delay nobody, and cost little")
        func uploads() async throws {
            let isOver = ScriptedBackend.Flag()
            let backend = try ScriptedBackend { connection, _ in
                while true {
                    let head = try connection.receive(until: "\r\n\r\n")
                    if head.hasPrefix("POST ") { return _ = isOver.isSet(within: Self.seconds + 30) }
                    try connection.send("HTTP/1.1 200 OK\r\nX-Backend: own0\r\nContent-Length: 0\r\n\r\n")
                }
            }
            defer { backend.close() }
            try await withFleet(.init(replicas: 1, backends: 0, ownBackends: [backend.port])) { fleet in
                // The replica would wait for them when it stops.
                defer { isOver.set() }
                let cost = try await Self.cost(at: fleet) { end in
                    let sent = try await Threads.run(20) { _ in try Self.push(fleet.ports[0], until: end) }
                    // What the kernel's buffers of two connections hold, and no more.
                    #expect(sent.allSatisfy { $0 > 0 && $0 < 160 * Self.mebi }, "\(sent)")
                }
                cost.check("20 uploads to a stalled backend")
            }
        }

        /// Sends what is taken of a gibibyte; returns how much.
        private static func push(_ port: Int, until end: ContinuousClock.Instant) throws -> Int {
            let socket = try TCPSocket(port: port, timeout: 1)
            try socket.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: \(1 << 30)\r\n\r\n")
            let piece = [UInt8](repeating: UInt8(ascii: "x"), count: 16384)
            var sent = 0
            while ContinuousClock.now < end {
                do {
                    try socket.send(piece)
                    sent += piece.count
                } catch let error as TCPSocket.Failure where error.isTimeout {
                    continue
                } catch {
                    break
                }
            }
            socket.reset()
            return sent
        }
    }
}
