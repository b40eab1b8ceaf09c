import Affinity

/// A fleet of replicas, their store and their clients under faults: one event at a time, drawn from a seed, and checked
/// after each event against the invariants of the affinity protocol.
///
/// The replicas decide with the production cores. The simulation uses no threads and no clock, and no randomness except
/// the seed's.
package final class Simulation {
    /// The violation of an invariant.
    package struct Violation: Sendable, CustomStringConvertible {
        package let invariant: String
        /// The number of the event, and its time in microseconds.
        package let step: Int
        package let at: Int64
        package let text: String

        package var description: String { "\(invariant) at step \(step), \(Double(at) / 1_000_000) s: \(text)" }
    }

    static let connectTimeout: Moment = 300_000
    /// A connection whose oldest command has waited this long is given up.
    static let patience: Moment = 500_000
    static let patienceMax: Moment = 20_000_000

    let scenario: Scenario
    let off: Set<SimulationRule>
    let key: FingerprintKey
    let memberships: [Membership]
    /// The names of the backends of all memberships, which are the simulated backends.
    let world: [String]
    var queue = EventQueue()
    var now: Moment = 0
    var random: SeededRandom
    var standbyRandom: SeededRandom
    /// Generates values that must be the same whatever choices are left out: sessions and instances.
    var names: SeededRandom
    var primaries: [PrimaryPlace] = []
    var replicas: [SimulatedReplica] = []
    var clients: [SimulatedClient] = []
    var requests: [Int: SimulatedRequest] = [:]
    var brokenBackends: Set<Int> = []
    /// By replica: the backends that only this replica cannot reach.
    var cutBackends: [Set<Int>]
    /// By replica: the backends whose health checks fail for it.
    var sickBackends: [Set<Int>]
    /// Since when a backend has been reachable for a replica, with the replica's channel live.
    var reachSince: [[Moment]]
    var lastRestart: Moment = 0
    var serial = 0
    /// What the store has to hold again, by primary.
    var claims: [Claims]
    var made: [Fingerprint: Set<Binding>] = [:]
    /// When a record was last lost without an announcement.
    var silentlyLost: [Fingerprint: Moment] = [:]
    var highest: [HighestKey: UInt32] = [:]
    package private(set) var steps = 0
    package var coverage = SimulationCoverage()
    package private(set) var violation: Violation?
    /// Receives a description of each event, line by line.
    package var trace: ((String) -> Void)?

    struct HighestKey: Hashable {
        let replica: Int
        let life: Int
        let session: Fingerprint
        let server: Int
        let serverLife: Int
        let incarnation: Int
    }

    /// - Throws: if the drawn backends cannot be in one service.
    package init(_ scenario: Scenario, without off: Set<SimulationRule> = []) throws {
        self.scenario = scenario
        self.off = off
        var names = SeededRandom(seed: scenario.seed ^ 0x5eed)
        key = FingerprintKey(k0: names.next(), k1: names.next())
        let key = key
        memberships = try scenario.memberships.map { backends in
            try Membership(backends.map { ($0.name, $0.weight, $0.isDraining) }, key: key)
        }
        world = Array(Set(scenario.memberships.joined().map(\.name))).sorted()
        random = SeededRandom(seed: scenario.seed)
        standbyRandom = SeededRandom(seed: scenario.seed ^ 0x57a4_db9)
        claims = Array(repeating: Claims(), count: scenario.primaryCount)
        cutBackends = Array(repeating: [], count: scenario.replicaCount)
        sickBackends = Array(repeating: [], count: scenario.replicaCount)
        reachSince = Array(
            repeating: Array(repeating: 0, count: world.count), count: scenario.replicaCount)
        self.names = names
        setUp()
    }

    func has(_ rule: SimulationRule) -> Bool { !off.contains(rule) }

    private func setUp() {
        for (index, hasCookie) in scenario.cookies.enumerated() {
            clients.append(SimulatedClient(index: index, hasCookie: hasCookie, session: nextSession()))
        }
        for primary in 0..<scenario.primaryCount {
            if let store = scenario.sentinelStore {
                primaries.append(setUpSentinels(primary, store))
                continue
            }
            let server = SimulatedServer(id: primary * 2, primary: primary, isPrimary: true, seed: scenario.seed)
            var place = PrimaryPlace(current: server)
            if scenario.hasStandby {
                let standby = SimulatedServer(
                    id: primary * 2 + 1, primary: primary, isPrimary: false, seed: scenario.seed)
                standby.follow(server)
                place.standby = standby
                schedule(.acknowledge, of: standby, after: 100_000)
            } else {
                server.hasOtherReplicas = true
            }
            schedule(.cron, of: server, after: 1_000_000)
            primaries.append(place)
        }
        for index in 0..<scenario.replicaCount { start(replica: index, life: 0, membership: 0) }
        for index in scenario.choices.indices { queue.add(.choice(index), at: scenario.choices[index].at) }
    }

    func nextSession() -> Fingerprint { Fingerprint(high: names.next(), low: names.next()) }

    func nextSerial() -> Int {
        serial += 1
        return serial
    }

    func primary(of session: Fingerprint) -> Int { PrimaryMap(count: scenario.primaryCount).primary(of: session) }

    // MARK: Running

    /// Runs the choices, then ends all faults and checks that all replicas agree. Returns the first violation.
    @discardableResult
    package func run() -> Violation? {
        runUntil((scenario.choices.last?.at ?? 0) + 50_000)
        if violation == nil { heal() }
        return violation
    }

    func runUntil(_ end: Moment) {
        while violation == nil, let entry = queue.next() {
            guard entry.time <= end else {
                queue.postpone(entry, to: entry.time)
                break
            }
            now = entry.time
            handle(entry)
        }
        now = max(now, end)
    }

    private func handle(_ entry: EventQueue.Entry) {
        steps += 1
        switch entry.event {
        case .choice(let index):
            checkCalm(before: index)
            apply(scenario.choices[index])
        case .atServer(let connection, let command): arrive(command, over: connection, entry)
        case .atReplica(let connection, let reply): arrive(reply, over: connection, entry)
        case .timer(let replica, let life, let timer):
            guard life == replica.life, replicas[replica.index] === replica else { return }
            // A process that resumes reads its sockets first.
            if now < replica.pausedUntil { return queue.postpone(entry, to: replica.pausedUntil + 100) }
            fire(timer, at: replica)
        case .replication(let server, let step, let generation):
            guard server.isAlive, server.generation == generation else { return }
            if now < server.stalledUntil { return queue.postpone(entry, to: server.stalledUntil) }
            replicate(step, to: server)
        case .serverTimer(let server, let timer, let generation): fire(timer, at: server, generation)
        case .sentinel(let event, let primary): handle(event, primary, entry)
        case .promotion(let primary, let failure): promote(primary, failure)
        case .response(let client, let session, let hint): receive(hint, session, client)
        }
    }

    private func receive(_ hint: Hint, _ session: Fingerprint, _ client: Int) {
        guard clients[client].session == session else { return }
        if clients[client].losesCookie {
            coverage.count("cookies lost")
            clients[client].losesCookie = false
            return
        }
        clients[client].hint = hint
        clients[client].isNew = false
    }

    // MARK: Violations

    func fail(_ invariant: String, _ text: @autoclosure () -> String) {
        guard violation == nil else { return }
        let found = Violation(invariant: invariant, step: steps, at: now, text: text())
        violation = found
        note("VIOLATION \(found)")
    }

    func note(_ text: @autoclosure () -> String) {
        guard let trace else { return }
        let milliseconds = String(now / 1000)
        let fraction = String(now % 1000 + 1000).dropFirst()
        trace("\(steps) \(milliseconds).\(fraction) ms  \(text())")
    }

    func name(_ session: Fingerprint) -> String {
        clients.firstIndex { $0.session == session }.map { "session \($0)" } ?? "session \(session.text.prefix(4))"
    }

    func name(_ binding: Binding) -> String {
        if binding.isTombstone { return "(tombstone, \(binding.epoch))" }
        return "(\(world.first { BackendHash.of(name: $0, key: key) == binding.backend } ?? "?"), \(binding.epoch))"
    }
}
