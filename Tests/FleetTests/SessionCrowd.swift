import LimpetTestKit
import Testing

/// Thousands of sessions of a fleet. Each is served by one replica, and the others only hear of it. A fleet that has
/// further backends later (`Fleet.Options.growing`) would guess half of the early ones wrongly.
struct SessionCrowd: Sendable {
    enum Kind: String, Sendable {
        /// Placed before there were more backends.
        case early
        /// Placed since.
        case late
        /// Bound to another backend since, by the replica that serves it.
        case moved
    }

    struct Member: Sendable {
        /// Counted from 0.
        let number: Int
        /// Of sessions whose keys clients choose; nil where a backend issued it.
        let key: String?
        /// The field line with which the client presents its session key.
        let line: String
        /// That serves it.
        let replica: Int
        var kind: Kind
        /// Where its record says, as long as there is one.
        var home: String
    }

    let fleet: Fleet
    let source: SessionSource
    /// What the keys begin with.
    let prefix: String
    private(set) var members: [Member] = []
    private var sweep: SessionSweep { SessionSweep(connections: 8, batch: 10, source: source) }

    init(_ fleet: Fleet, _ source: SessionSource = .header, prefix: String = "session") {
        (self.fleet, self.source, self.prefix) = (fleet, source, prefix)
    }

    /// Of all kinds; half of them are there before the fleet has all of its backends.
    static func mixed(_ count: Int, of fleet: Fleet, _ source: SessionSource = .header) async throws -> SessionCrowd {
        var crowd = SessionCrowd(fleet, source)
        try await crowd.place(count / 2)
        if source != .learn {
            try await crowd.move(count / 20)
            try await crowd.addBackends()
        }
        try await crowd.place(count - count / 2, .late)
        return crowd
    }

    // MARK: What becomes of them

    /// New ones, at one replica or at all in turn.
    mutating func place(_ count: Int, _ kind: Kind = .early, at replica: Int? = nil) async throws {
        let first = members.count
        let numbers = Array(first..<first + count)
        let replicas = numbers.map { replica ?? $0 % fleet.ports.count }
        let lines = numbers.map { source == .learn ? "" : source.line("\(prefix)-\($0)") }
        let answers = try await sweep.ask(zip(lines, replicas).map { ($0, fleet.ports[$1]) })
        for (index, answer) in answers.enumerated() {
            let line = source == .learn ? answer.issued : lines[index]
            guard answer.status == 200, let line else {
                throw Unexpected(description: "a session was not placed: \(answer)")
            }
            members.append(
                Member(
                    number: numbers[index], key: source == .learn ? nil : "\(prefix)-\(numbers[index])", line: line,
                    replica: replicas[index], kind: kind, home: answer.backend))
        }
    }

    /// The sessions of `b1`, or this many of them, leave it while it is down. Then it is back.
    mutating func move(_ count: Int = .max) async throws {
        let movers = Array(members.indices.filter { members[$0].home == "b1" }.prefix(count))
        guard !movers.isEmpty else { throw Unexpected(description: "b1 has no sessions") }
        let others = try fleet.records().values.count { ($0.epoch ?? 0) > 1 }
        fleet.backends[1].process.kill()
        // Until the replicas agree that it is gone the sessions are detoured, so this is asked again and again.
        let end = ContinuousClock.now + .seconds(15)
        repeat {
            guard ContinuousClock.now < end else { throw Unexpected(description: "sessions are still bound to b1") }
            _ = try await ask(movers)
        } while try fleet.records().values.count { ($0.epoch ?? 0) > 1 } < others + movers.count
        for (index, answer) in zip(movers, try await ask(movers)) {
            members[index].home = answer.backend
            members[index].kind = .moved
        }
        guard movers.allSatisfy({ members[$0].home != "b1" }) else {
            throw Unexpected(description: "sessions went back to b1")
        }
        try await fleet.returnBackend(1)
    }

    /// The backends that the configuration did not name are named.
    func addBackends() async throws {
        fleet.change { $0.unnamedBackends = [] }
        try await Threads.run { try fleet.reload() }
    }

    // MARK: Where they go

    /// All are asked for at the replicas that serve them, which keeps them alive.
    ///
    /// - Throws: where one is not at home.
    func use() async throws {
        let answers = try await ask(Array(members.indices))
        guard zip(members, answers).allSatisfy({ $0.home == $1.backend && $1.status == 200 }) else {
            throw Unexpected(description: "a session has left its backend while the store was there")
        }
    }

    private func ask(_ indices: [Int]) async throws -> [SessionSweep.Answer] {
        try await sweep.ask(indices.map { (members[$0].line, fleet.ports[members[$0].replica]) })
    }

    /// All sessions or some, asked for at replicas, by default all, go home.
    func expectAtHome(
        at replicas: [Int]? = nil, sourceLocation: SourceLocation = #_sourceLocation,
        _ isAsked: (Member) -> Bool = { _ in true }
    ) async throws {
        let strays = try await strays(at: replicas, isAsked)
        #expect(strays.isEmpty, sourceLocation: sourceLocation)
    }

    /// All are answered by some backend.
    func expectServed(at replica: Int) async throws {
        let answers = try await sweep.ask(members.map { ($0.line, fleet.ports[replica]) })
        #expect(answers.allSatisfy { $0.status == 200 && !$0.backend.isEmpty })
    }

    /// Those that are answered by anybody but their home, or not well, counted and described.
    func strays(
        at replicas: [Int]?, _ isAsked: (Member) -> Bool
    ) async throws -> [String] {
        let asked = members.filter(isAsked)
        let replicas = replicas ?? Array(fleet.ports.indices)
        let questions = replicas.flatMap { replica in asked.map { ($0, replica) } }
        let answers = try await sweep.ask(questions.map { ($0.line, fleet.ports[$1]) })
        var counts: [String: (of: Int, strays: [String])] = [:]
        for ((member, replica), answer) in zip(questions, answers) {
            var count = counts["r\(replica), \(member.kind)"] ?? (0, [])
            count.of += 1
            if answer.backend != member.home || answer.status != 200 {
                count.strays.append("\(member.line) by \(answer.status) \(answer.backend), not \(member.home)")
            }
            counts["r\(replica), \(member.kind)"] = count
        }
        return counts.filter { !$1.strays.isEmpty }.sorted { $0.key < $1.key }.map { name, count in
            "\(name): \(count.strays.count) of \(count.of) elsewhere, as \(count.strays[0])"
        }
    }
}

extension Fleet.Options {
    /// Two backends, and two more that the configuration names later.
    static func growing(sticky: String = SessionSource.header.settings) -> Fleet.Options {
        Fleet.Options(backends: 4, sticky: sticky, unnamedBackends: ["b2", "b3"], dynamic: .init())
    }

    /// The same with other times.
    func with(budget: String, lease: String) -> Fleet.Options {
        var options = self
        (options.budget, options.lease) = (budget, lease)
        return options
    }
}
