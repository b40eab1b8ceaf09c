import Affinity

/// A fleet under faults, one event at a time, drawn from a seed. Collects what breaks an invariant of the protocol.
struct Simulation {
    /// A client with its session.
    struct Client {
        let fingerprint: Fingerprint
        /// Our own cookie; else a key of the application, without hints.
        let hasCookie: Bool
        var hint: Hint?
        var isNew: Bool
    }

    /// A question on its way to the store and back.
    struct Exchange {
        enum Purpose {
            case request(Decision)
            case touch
        }

        let client: Int
        let replica: Int
        let life: Int
        var purpose: Purpose
        var question: StoreQuestion
        var asked: Instant
        var answer: StoreAnswer?
        var lastRecord: Binding?
        var questions = 1
    }

    /// A binding that stood in the store.
    struct Reign {
        let binding: Binding
        var until: Instant?
    }

    static let settings = AffinitySettings(idleTimeout: 30_000, freshness: 1000, budget: 1_000_000)
    static let replicaCount = 3
    /// The store's connection is closed when its oldest question is this old, in milliseconds.
    static let longestAnswer: Int64 = 500

    let losesData: Bool
    var fleet: Fleet
    var random: Random
    var clients: [Client] = []
    var exchanges: [Exchange] = []
    var reigns: [Fingerprint: [Reign]] = [:]
    /// Grows when a session's record is written anew after it was gone.
    var lineage: [Fingerprint: Int] = [:]
    var highest: [[Int]: (lineage: Int, epoch: UInt32)] = [:]
    var touches: [[Int]: [Instant]] = [:]
    var lives: [Int]
    var mayAsk: [Bool]
    var broken: [String] = []
    var decided: [Provenance: Int] = [:]

    init(seed: UInt64, losesData: Bool) throws {
        self.losesData = losesData
        fleet = try Fleet(replicas: Self.replicaCount, settings: Self.settings)
        random = Random(seed: seed)
        lives = Array(repeating: 0, count: Self.replicaCount)
        mayAsk = Array(repeating: true, count: Self.replicaCount)
        for index in 0..<4 {
            let hasCookie = index % 2 == 0
            clients.append(Client(fingerprint: random.fingerprint(), hasCookie: hasCookie, hint: nil, isNew: hasCookie))
        }
    }

    mutating func run(steps: Int) {
        for _ in 0..<steps where broken.isEmpty { step() }
        if broken.isEmpty { heal() }
    }

    private mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &random) < percent }

    private mutating func step() {
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<30: startRequest()
        case 30..<55: reachStore()
        case 55..<80: deliver()
        case 80..<90: pass()
        case 90..<93:
            let replica = Int.random(in: 0..<Self.replicaCount, using: &random)
            mayAsk[replica].toggle()
        case 93..<98: changeHealth()
        case 98: if chance(30) { dropSession() }
        case _: if chance(30) { loseSomething() }
        }
        expire()
    }

    private mutating func pass() {
        let milliseconds: Int64 =
            switch Int.random(in: 0..<100, using: &random) {
            case 0..<75: .random(in: 0...100, using: &random)
            case 75..<97: .random(in: 0...1500, using: &random)
            case _: .random(in: 0...25_000, using: &random)
            }
        fleet.pass(milliseconds)
        for index in exchanges.indices where fleet.now.milliseconds(since: exchanges[index].asked) > Self.longestAnswer
        {
            exchanges[index].answer = .unavailable(.lost)
        }
    }

    private mutating func changeHealth() {
        let index = Int.random(in: 0..<5, using: &random)
        let everywhere = chance(50)
        let up = chance(60)
        for replica in 0..<Self.replicaCount where everywhere || chance(34) {
            if up {
                fleet.replicas[replica].health.markUp(index)
            } else {
                fleet.replicas[replica].health.markDown(index)
            }
        }
    }

    private mutating func dropSession() {
        let fingerprint = clients[Int.random(in: 0..<clients.count, using: &random)].fingerprint
        guard fleet.store.binding(fingerprint, now: fleet.now) != nil else { return }
        fleet.store.drop(fingerprint, lifetime: Self.settings.recordLifetime, now: fleet.now)
        observe(fingerprint)
    }

    private mutating func loseSomething() {
        if losesData, chance(40) {
            fleet.store.flush()
        } else {
            let replica = Int.random(in: 0..<Self.replicaCount, using: &random)
            fleet.restart(replica: replica)
            lives[replica] += 1
        }
    }

    private mutating func startRequest() {
        guard exchanges.count < 6 else { return }
        let client = Int.random(in: 0..<clients.count, using: &random)
        let replica = Int.random(in: 0..<Self.replicaCount, using: &random)
        request(client, replica)
    }

    private mutating func request(_ client: Int, _ replica: Int) {
        let who = clients[client]
        let seconds = UInt32(fleet.now.nanoseconds / 1_000_000_000)
        let hint = who.hint.flatMap { seconds - $0.issued <= 30 ? $0 : nil }
        var decision = Decision(fingerprint: who.fingerprint, hint: hint, isNew: who.isNew)
        fleet.storeMayBeAsked = mayAsk[replica]
        let step = fleet.begin(&decision, replica: replica)
        follow(step, decision, client, replica, previous: nil, degraded: !mayAsk[replica])
    }

    /// The store handles one of the questions under way.
    private mutating func reachStore() {
        let waiting = exchanges.indices.filter { exchanges[$0].answer == nil }
        guard let index = waiting.randomElement(using: &random) else { return }
        let exchange = exchanges[index]
        if chance(5) {
            exchanges[index].answer = .unavailable(.late)
        } else {
            let answer = fleet.store.answer(exchange.question, now: fleet.now)
            observe(clients[exchange.client].fingerprint)
            exchanges[index].answer = chance(5) ? .unavailable(.lost) : answer
        }
    }

    /// One of the answers arrives, in any order.
    private mutating func deliver() {
        let answered = exchanges.indices.filter { exchanges[$0].answer != nil }
        guard let index = answered.randomElement(using: &random) else { return }
        let exchange = exchanges.remove(at: index)
        guard let answer = exchange.answer, exchange.life == lives[exchange.replica] else { return }
        let replica = exchange.replica
        switch exchange.purpose {
        case .touch:
            let fingerprint = clients[exchange.client].fingerprint
            if let next = fleet.touchAnswered(
                fingerprint, answer, to: exchange.question, asked: exchange.asked, replica: replica)
            {
                var again = exchange
                (again.question, again.asked, again.answer) = (next, fleet.now, nil)
                again.questions += 1
                if again.questions > 2 { broken.append("a touch led to \(again.questions) questions") }
                exchanges.append(again)
            }
        case .request(var decision):
            let step = fleet.answer(&decision, answer, to: exchange.question, asked: exchange.asked, replica: replica)
            var degraded = false
            if case .unavailable = answer { degraded = true }
            follow(step, decision, exchange.client, replica, previous: exchange, degraded: degraded)
        }
    }

    private mutating func follow(
        _ step: Step, _ decision: Decision, _ client: Int, _ replica: Int, previous: Exchange?, degraded: Bool
    ) {
        switch step {
        case .ask(let question):
            var exchange = Exchange(
                client: client, replica: replica, life: lives[replica], purpose: .request(decision), question: question,
                asked: fleet.now)
            exchange.lastRecord = previous?.lastRecord
            if case .record(let record, _) = previous?.answer { exchange.lastRecord = record }
            exchange.questions = (previous?.questions ?? 0) + 1
            checkQuestion(exchange, decision)
            exchanges.append(exchange)
        case .forward(let route):
            decided[route.provenance, default: 0] += 1
            checkRoute(route, decision, client, replica, degraded: degraded)
            remember(route, client)
            guard let touch = route.touch else { return }
            checkTouch(client, replica)
            exchanges.append(
                Exchange(
                    client: client, replica: replica, life: lives[replica], purpose: .touch, question: touch,
                    asked: fleet.now))
        case .refuse:
            if (0..<5).contains(where: { fleet.replicas[replica].health.isUp($0) }) {
                broken.append("I11: refused while a backend is usable")
            }
        }
    }

    private mutating func remember(_ route: Route, _ client: Int) {
        guard clients[client].hasCookie, route.provenance != .detoured else { return }
        let seconds = UInt32(fleet.now.nanoseconds / 1_000_000_000)
        clients[client].hint = Hint(binding: route.binding, born: seconds, issued: seconds)
        clients[client].isNew = false
    }

    // MARK: Invariants

    private mutating func checkRoute(
        _ route: Route, _ decision: Decision, _ client: Int, _ replica: Int, degraded: Bool
    ) {
        let fingerprint = decision.fingerprint
        if !fleet.replicas[replica].health.isUp(route.backend) { broken.append("routed to a backend that is down") }
        if let hint = decision.hint, route.binding.epoch < hint.binding.epoch {
            broken.append("I6: epoch \(route.binding.epoch) below the hint's \(hint.binding.epoch)")
        }
        if route.provenance != .detoured, fleet.backend(route.backend) != route.binding.backend {
            broken.append("the route is not its binding's")
        }
        if route.provenance == .placed {
            if fleet.entry(fingerprint, replica: replica) != nil {
                broken.append("a placement of a new session was written")
            }
            return
        }
        guard !degraded, route.provenance != .detoured else { return }
        let past = reigns[fingerprint, default: []]
        if !past.contains(where: { $0.binding == route.binding }) {
            broken.append("I4: \(route.provenance) by \(route.binding), which the store never held")
        }
        if route.provenance == .cached {
            let bound = fleet.now.advanced(byMilliseconds: -Self.settings.freshness)
            if !past.contains(where: { $0.binding == route.binding && ($0.until ?? fleet.now) > bound }) {
                broken.append("I1: cached by \(route.binding), superseded more than the freshness ago")
            }
        }
        let key = [client, replica, lives[replica]]
        let current = lineage[fingerprint, default: 0]
        if let last = highest[key], last.lineage == current, last.epoch > route.binding.epoch {
            broken.append("I2: epoch \(route.binding.epoch) after \(last.epoch)")
        }
        highest[key] = (current, route.binding.epoch)
    }

    /// A question that may override a record rests on knowledge of it, or of a higher epoch; and only what is not
    /// usable is moved off, or what overlooked a confirmed binding.
    private mutating func checkQuestion(_ exchange: Exchange, _ decision: Decision) {
        if exchange.questions > 4 { broken.append("I11: \(exchange.questions) questions for one request") }
        let entry = fleet.entry(decision.fingerprint, replica: exchange.replica)
        let known = [entry?.binding, decision.hint?.binding, exchange.lastRecord].compactMap { $0 }.filter {
            $0.epoch > 0
        }
        switch exchange.question {
        case .create, .touch:
            return
        case .restore(_, let binding, _):
            if !known.contains(binding) { broken.append("I9: restore of \(binding), known \(known)") }
        case .rebind(_, let from, let backend, _):
            if !known.contains(from) { broken.append("I9: rebind from \(from), known \(known)") }
            let isUsable =
                fleet.membership.index(of: from.backend).map { fleet.replicas[exchange.replica].health.isUp($0) }
                ?? false
            if isUsable, entry?.binding != Binding(backend: backend, epoch: 1) || entry?.kind != .confirmed {
                broken.append("moved off a usable backend")
            }
        }
    }

    private mutating func checkTouch(_ client: Int, _ replica: Int) {
        let key = [client, replica, lives[replica]]
        // A lifetime counts from when the store answers, a touch from when it is asked.
        let since = fleet.now.advanced(byMilliseconds: 4 * Self.longestAnswer - Self.settings.recordLifetime)
        touches[key, default: []].append(fleet.now)
        touches[key]?.removeAll { $0 <= since }
        if let count = touches[key]?.count, count > 4 { broken.append("I12: \(count) touches in a lifetime") }
    }

    /// Writes down which binding stands in the store from now on.
    private mutating func observe(_ fingerprint: Fingerprint) {
        let held = fleet.store.binding(fingerprint, now: fleet.now)
        let last = reigns[fingerprint]?.last
        if let last, last.until == nil, last.binding == held { return }
        if let last, last.until == nil, let index = reigns[fingerprint]?.indices.last {
            reigns[fingerprint]?[index].until = fleet.now
            if let held, held.epoch <= last.binding.epoch {
                broken.append("I3: the record fell to \(held) from \(last.binding)")
            }
        }
        guard let held else { return }
        if last == nil || last?.until != nil { lineage[fingerprint, default: 0] += 1 }
        reigns[fingerprint, default: []].append(Reign(binding: held, until: nil))
    }

    /// Ends the reign of records that have expired or were lost.
    private mutating func expire() {
        for client in clients where fleet.store.binding(client.fingerprint, now: fleet.now) == nil {
            guard let index = reigns[client.fingerprint]?.indices.last, reigns[client.fingerprint]?[index].until == nil
            else { continue }
            reigns[client.fingerprint]?[index].until = fleet.now
        }
    }

    /// I5: once faults heal and each replica has resolved once, all of them and the store agree.
    private mutating func heal() {
        mayAsk = mayAsk.map { _ in true }
        for index in 0..<5 { fleet.markUp(index) }
        exchanges = []
        for _ in 0..<2 {
            fleet.pass(Self.settings.freshness + 100)
            expire()
            for client in clients.indices { for replica in 0..<Self.replicaCount { resolve(client, replica) } }
        }
        for client in clients where !client.isNew {
            let held = fleet.store.binding(client.fingerprint, now: fleet.now)
            for replica in 0..<Self.replicaCount
            where fleet.entry(client.fingerprint, replica: replica)?.binding != held {
                broken.append("I5: replica \(replica) and the store disagree")
            }
        }
    }

    private mutating func resolve(_ client: Int, _ replica: Int) {
        request(client, replica)
        while let index = exchanges.indices.first {
            if exchanges[index].answer == nil {
                let question = exchanges[index].question
                exchanges[index].answer = fleet.store.answer(question, now: fleet.now)
                observe(clients[exchanges[index].client].fingerprint)
            }
            deliver()
        }
    }
}
