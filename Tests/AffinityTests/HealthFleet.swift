@testable import Affinity

/// Replicas that judge the health of backends together over a channel like Redis's: one order for all, everyone hears
/// everything unless he is deaf, and time passes in steps of a millisecond.
struct HealthFleet {
    static let leaseMilliseconds: Int64 = 500
    static let probeTimeoutMilliseconds: Int64 = 1000
    static let backend = FleetBackend(service: ServiceHash(bits: 5), backend: BackendHash(bits: 9))

    /// How a replica fares that connects to the backend.
    enum Path {
        case open
        /// Fails at once.
        case refused
        /// Fails after the time-out.
        case silent
    }

    struct Replica {
        var health: FleetHealth
        var path = Path.open
        var isUp = true
        var mayReassign = false
        var isAvoided = false
        var isAlone = false
        var agree = true
        var lease = FleetMessage.Lease.live
        /// Neither its clock nor its ears work.
        var isFrozen = false
        /// Its subscriber connection is away: what others publish is lost to it.
        var isDeaf = false
        /// Publications fail at once.
        var isMute = false
        /// Milliseconds from publishing to being heard.
        var delay: Int64 = 1
        var probesAt: [Int64] = []
        var publications: [(at: Int64, size: Int)] = []
        /// When its own probe of what is down is due.
        var reprobeAt: Int64?
    }

    private enum Event {
        case deliver(to: Int, [UInt8])
        case probeEnds(Int, Path)
        case secondFailure(Int)
    }

    var replicas: [Replica] = []
    private(set) var now: Int64 = 0
    private var events: [(at: Int64, order: Int, event: Event)] = []
    private var order = 0

    init(_ count: Int, configurations: [UInt64] = []) {
        for index in 0..<count { add(configuration: index < configurations.count ? configurations[index] : 7) }
    }

    mutating func add(configuration: UInt64 = 7) {
        let instance = UInt64(replicas.count + 1) &* 0x1234_5678_9abc_def1
        let health = FleetHealth(
            own: .init(instance: instance, configuration: configuration, name: "r\(replicas.count)", version: "1"),
            backends: [Self.backend, FleetBackend(service: ServiceHash(bits: 5), backend: BackendHash(bits: 10))],
            leaseMilliseconds: Self.leaseMilliseconds, probeTimeoutMilliseconds: Self.probeTimeoutMilliseconds)
        replicas.append(Replica(health: health))
        perform(replicas.count - 1) { $0.subscribed(now: $1) }
    }

    /// A replica stops in good order.
    mutating func leave(_ index: Int) {
        perform(index) { health, _ in [.publish(health.closeReason())] }
        replicas[index].isFrozen = true
    }

    /// A replica is configured anew.
    mutating func reconfigure(
        _ index: Int, configuration: UInt64 = 7, backends: Set<FleetBackend> = [Self.backend],
        renewed: Set<FleetBackend> = []
    ) {
        perform(index) {
            $0.reconfigured(configuration: configuration, backends: backends, renewed: renewed, now: $1)
        }
    }

    var instant: Instant { Instant(nanoseconds: now * 1_000_000) }

    mutating func run(_ milliseconds: Int64) {
        for _ in 0..<milliseconds { step() }
    }

    /// Runs until the condition holds. Returns how many milliseconds that took, or nil.
    mutating func run(until condition: (HealthFleet) -> Bool, atMost limit: Int64) -> Int64? {
        let start = now
        while now < start + limit {
            if condition(self) { return now - start }
            step()
        }
        return condition(self) ? now - start : nil
    }

    private mutating func step() {
        now += 1
        let due = events.filter { $0.at <= now }.sorted { ($0.at, $0.order) < ($1.at, $1.order) }
        events.removeAll { $0.at <= now }
        for event in due { carryOut(event.event) }
        for index in replicas.indices where !replicas[index].isFrozen {
            if now % 50 == Int64(index) % 50 || replicas[index].health.isHoldingBack && now % 10 == 0 {
                let lease = replicas[index].lease
                perform(index) { $0.tick(lease: lease, now: $1) }
            }
            if let at = replicas[index].reprobeAt, now >= at { reprobe(index) }
        }
    }

    private mutating func schedule(_ event: Event, in delay: Int64) {
        order += 1
        events.append((now + max(delay, 1), order, event))
    }

    private mutating func carryOut(_ event: Event) {
        switch event {
        case .deliver(let index, let payload):
            // A frozen process finds in its socket's buffer what came meanwhile.
            if replicas[index].isFrozen { return schedule(event, in: 1) }
            if replicas[index].isDeaf { return }
            payload.withUnsafeBytes { bytes in perform(index) { $0.received(bytes, now: $1) } }
        case .probeEnds(let index, let path):
            probeEnded(index, isUp: path == .open)
        case .secondFailure(let index):
            if replicas[index].path != .open { mark(index, isUp: false) }
        }
    }

    private mutating func perform(_ index: Int, _ event: (inout FleetHealth, Instant) -> [FleetHealth.Action]) {
        for action in event(&replicas[index].health, instant) {
            switch action {
            case .publish(let payload):
                guard !replicas[index].isMute else {
                    replicas[index].health.publicationFailed()
                    continue
                }
                replicas[index].publications.append((now, payload.count))
                for other in replicas.indices {
                    schedule(.deliver(to: other, payload), in: replicas[index].delay)
                }
            case .probe(Self.backend):
                replicas[index].probesAt.append(now)
                let path = replicas[index].path
                schedule(.probeEnds(index, path), in: path == .silent ? Self.probeTimeoutMilliseconds : 1)
            case .probe: break
            case .setMayReassign(_, let value): replicas[index].mayReassign = value
            case .setAvoided(_, let value): replicas[index].isAvoided = value
            case .setAlone(let value): replicas[index].isAlone = value
            case .setConfigurationsAgree(let value): replicas[index].agree = value
            }
        }
    }

    private mutating func probeEnded(_ index: Int, isUp: Bool) {
        perform(index) { $0.probed(Self.backend, isUp: isUp, now: $1) }
        if isUp {
            mark(index, isUp: true)
        } else if replicas[index].health.isDown(Self.backend) {
            mark(index, isUp: false)
        }
    }

    /// As the prober does for what is down here.
    private mutating func reprobe(_ index: Int) {
        replicas[index].reprobeAt = now + 1000
        if replicas[index].path == .open { mark(index, isUp: true) }
    }

    private mutating func mark(_ index: Int, isUp: Bool) {
        replicas[index].isUp = isUp
        replicas[index].reprobeAt = isUp ? nil : replicas[index].reprobeAt ?? now + 1000
        perform(index) { $0.judged(Self.backend, isUp: isUp, now: $1) }
    }

    // MARK: What tests do

    /// A request of this replica wants to connect, and finds the path as it is. Its first failure is now.
    mutating func request(at index: Int) {
        guard replicas[index].isUp, replicas[index].path != .open, !replicas[index].isFrozen else { return }
        perform(index) { $0.suspected(Self.backend, now: $1) }
        schedule(.secondFailure(index), in: replicas[index].path == .silent ? Self.probeTimeoutMilliseconds : 1)
    }

    mutating func setDeaf(_ index: Int, _ value: Bool) {
        guard value != replicas[index].isDeaf else { return }
        replicas[index].isDeaf = value
        replicas[index].lease = value ? .lost : .live
        if !value { resubscribe(index) }
    }

    mutating func resubscribe(_ index: Int) {
        perform(index) { $0.subscribed(now: $1) }
    }

    mutating func setPath(_ path: Path, _ indices: some Sequence<Int>) {
        for index in indices { replicas[index].path = path }
    }

    /// Whether the replica's sessions may leave the backend.
    func leaves(_ index: Int) -> Bool {
        let replica = replicas[index]
        return !replica.isUp && (replica.isAlone || replica.mayReassign) && replica.lease == .live
    }

    static func running(_ count: Int) -> HealthFleet {
        var fleet = HealthFleet(count)
        fleet.run(4000)
        return fleet
    }
}
