import Foundation
import LimpetTestKit
import Synchronization

/// Clients of a soak: they use sessions at replicas drawn at random, begin new ones, and check each answer.
final class SoakDriver: Sendable {
    struct Outcome: Sendable {
        var requests = 0
        /// New sessions that were checked, too.
        var newcomers = 0
        /// Answers by another backend than before.
        var moved: [String] = []
        var errors: [String] = []
    }

    /// In requests per second.
    static let rate = 160.0
    static let threads = 8

    let calm = SoakCalm()
    private let fleet: Fleet
    private let homes: [(key: String, home: String)]
    private let seed: UInt64
    private let outcome = Mutex(Outcome())
    private let isOver = Mutex(false)

    init(_ fleet: Fleet, _ crowd: SessionCrowd, seed: UInt64) {
        (self.fleet, self.seed) = (fleet, seed)
        homes = crowd.members.compactMap { member in member.key.map { ($0, member.home) } }
    }

    var result: Outcome { outcome.withLock { $0 } }

    func stop() { isOver.withLock { $0 = true } }

    /// Runs until it is told to stop.
    func run() async throws {
        let begin = ContinuousClock.now
        _ = try await Threads.run(Self.threads) { thread in
            var client = SoakClient(self.fleet, thread, self.homes, seed: self.seed)
            var number = thread
            while !self.isOver.withLock({ $0 }) {
                let due = begin + .seconds(Double(number) / Self.rate)
                let wait = (due - .now) / .seconds(1)
                if wait > 0 { Thread.sleep(forTimeInterval: wait) }
                self.note(client.request(self.calm), at: (ContinuousClock.now - begin) / .seconds(1))
                number += Self.threads
            }
        }
    }

    private func note(_ answer: SoakClient.Answer, at seconds: Double) {
        let time = String(format: "%.1f s", seconds)
        outcome.withLock { outcome in
            outcome.requests += 1
            switch answer {
            case .home: break
            case .began: outcome.newcomers += 1
            case .moved(let text): outcome.moved.append("\(time): \(text)")
            case .failed(let text): outcome.errors.append("\(time): \(text)")
            }
        }
    }
}

/// One of them. For one thread.
private struct SoakClient {
    enum Answer {
        case home
        /// A session that every replica knows now.
        case began
        case moved(String)
        case failed(String)
    }

    private let client: FleetClient
    private let replicaCount: Int
    private let name: String
    private var random: SeededRandom
    private var known: [(key: String, home: String)]
    private var young: [(key: String, home: String, birth: SoakCalm.Birth)] = []
    private var begun = 0

    init(_ fleet: Fleet, _ thread: Int, _ homes: [(key: String, home: String)], seed: UInt64) {
        client = FleetClient(fleet, movesOn: true)
        replicaCount = fleet.ports.count
        name = "new-\(thread)"
        random = SeededRandom(seed: seed &+ UInt64(thread))
        known = homes.indices.filter { $0 % SoakDriver.threads == thread }.map { homes[$0] }
    }

    mutating func request(_ calm: SoakCalm) -> Answer {
        let replica = Int.random(in: 0..<replicaCount, using: &random)
        do {
            if Int.random(in: 0..<20, using: &random) == 0 { return try begin(at: replica, calm) }
            let session = known[Int.random(in: known.indices, using: &random)]
            let backend = try client.backend(of: session.key, at: replica, "/health")
            return backend == session.home
                ? .home : .moved("\(session.key) at r\(replica) by \(backend), not \(session.home)")
        } catch {
            return .failed("r\(replica): \(error)")
        }
    }

    /// A new session, which counts once it is a second old.
    private mutating func begin(at replica: Int, _ calm: SoakCalm) throws -> Answer {
        begun += 1
        let key = "\(name)-\(begun)"
        let (home, birth) = try calm.birth { try client.backend(of: key, at: replica, "/health") }
        if let birth { young.append((key, home, birth)) }
        young.removeAll { calm.age(of: $0.birth) == .lost }
        // The oldest is first.
        guard let first = young.first, calm.age(of: first.birth) == .known else { return .home }
        young.removeFirst()
        known.append((first.key, first.home))
        return .began
    }
}
