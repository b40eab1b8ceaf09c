import LimpetTestKit
import Testing

/// Something that befalls the store, or the ways to it.
struct StoreFault: Sendable, CustomTestStringConvertible {
    let testDescription: String
    /// Whether records are lost.
    var losesRecords = false
    /// Whether the store's server notices nothing of it, nor do the replicas: requests are decided as ever.
    var isHarmless = false
    let begin: @Sendable (Fleet) throws -> Void
    var end: @Sendable (Fleet) throws -> Void = { fleet in for proxy in fleet.faults { try proxy.heal() } }

    init(
        _ name: String, losesRecords: Bool = false, isHarmless: Bool = false,
        _ begin: @escaping @Sendable (Fleet) throws -> Void
    ) {
        (testDescription, self.losesRecords, self.isHarmless, self.begin) = (name, losesRecords, isHarmless, begin)
    }

    init(
        _ name: String, losesRecords: Bool = false, _ begin: @escaping @Sendable (Fleet) throws -> Void,
        end: @escaping @Sendable (Fleet) throws -> Void
    ) {
        (testDescription, self.losesRecords, self.begin, self.end) = (name, losesRecords, begin, end)
    }

    static let all = ofConnections + ofServer

    private static let ofConnections = [
        StoreFault("everything takes 60 ms longer", isHarmless: true) { fleet in
            for proxy in fleet.faults { try proxy.set(.delay(milliseconds: 30, .both)) }
        },
        StoreFault("one replica's connections stall") { try $0.faults[0].set(.stall) },
        StoreFault("all connections stall") { fleet in for proxy in fleet.faults { try proxy.set(.stall) } },
        StoreFault("one replica's connections are half-open") { try $0.faults[1].set(.halfOpen) },
        StoreFault("all connections are reset") { fleet in for proxy in fleet.faults { try proxy.reset() } },
        StoreFault("the store's port is unreachable") { fleet in
            for proxy in fleet.faults {
                try proxy.receive(.refused)
                try proxy.reset()
            }
        },
        StoreFault("new connections are not answered, and the old ones are half-open") { fleet in
            for proxy in fleet.faults {
                try proxy.receive(.blackholed)
                try proxy.set(.halfOpen)
            }
        },
        StoreFault("one replica's subscriber is lost") { fleet in
            try fleet.faults[0].receive(.subscribersReset)
            try fleet.faults[0].reset(.subscribers)
        },
        StoreFault("one replica's subscriber is half-open") { try $0.faults[0].set(.halfOpen, on: .subscribers) },
        StoreFault("one replica's subscriber stalls") { try $0.faults[0].set(.stall, on: .subscribers) },
        StoreFault("one data connection is half-open") { try $0.faults[0].set(.halfOpen, on: .oneData) },
        StoreFault("one data connection is reset") { try $0.faults[0].reset(.oneData) },
    ]

    private static let ofServer = [
        StoreFault("the store is killed, and comes back empty", losesRecords: true) {
            try $0.redis.kill()
        } end: {
            try $0.redis.start()
        },
        StoreFault("the store hangs") {
            try $0.freeze()
        } end: {
            try $0.redis.thaw()
        },
        StoreFault("FLUSHALL", losesRecords: true) { try $0.redis.command("FLUSHALL") },
        StoreFault("SCRIPT FLUSH", isHarmless: true) { try $0.redis.command("SCRIPT", "FLUSH") },
        StoreFault("the store evicts records", losesRecords: true) { fleet in
            try fleet.redis.command("CONFIG", "SET", "maxmemory-policy", "allkeys-random", "maxmemory", "1")
        } end: {
            try $0.redis.command("CONFIG", "SET", "maxmemory", "0")
        },
        StoreFault("the store has no memory for writes") { fleet in
            try fleet.redis.command("CONFIG", "SET", "maxmemory-policy", "noeviction", "maxmemory", "1")
        } end: {
            try $0.redis.command("CONFIG", "SET", "maxmemory", "0")
        },
    ]
}
