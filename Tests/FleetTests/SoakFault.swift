import Foundation
import LimpetTestKit

/// What happens to the store in a soak, for a time that chance decides.
enum SoakFault: String, Sendable, CaseIterable {
    case frozen
    /// Killed, and back with nothing.
    case emptied
    /// Killed, and back with what it held a moment before.
    case restarted
    /// The way to it is slow.
    case slow
    /// It answers nobody for a while, by its own doing.
    case paused

    /// The fault and its end. Blocks.
    func happen(to fleet: Fleet, _ random: inout SeededRandom) throws {
        let redis = try fleet.redis
        switch self {
        case .frozen:
            try fleet.freeze()
            Self.wait(0.1...3, &random)
            redis.thaw()
        case .emptied:
            redis.kill()
            Self.wait(0.1...3, &random)
            try redis.start()
        case .restarted:
            let file = try Self.save(redis)
            Self.wait(0...0.5, &random)
            redis.kill()
            Self.wait(0.1...3, &random)
            try redis.start()
            // The next time it is to be empty.
            try FileManager.default.removeItem(atPath: file)
        case .slow:
            let milliseconds = Int.random(in: 20...400, using: &random)
            for proxy in fleet.faults { try proxy.set(.delay(milliseconds: milliseconds, .both)) }
            Self.wait(0.5...3, &random)
            for proxy in fleet.faults { try proxy.heal() }
        case .paused:
            let milliseconds = Int.random(in: 100...2000, using: &random)
            try redis.command("CLIENT", "PAUSE", "\(milliseconds)", "ALL")
            Thread.sleep(forTimeInterval: Double(milliseconds) / 1000)
        }
    }

    private static func save(_ redis: RedisServer) throws -> String {
        let folder = try redis.command("CONFIG", "GET", "dir").split(separator: "\n").last
        guard try redis.command("SAVE") == "OK", let folder else {
            throw Unexpected(description: "redis-server cannot save")
        }
        return "\(folder)/dump.rdb"
    }

    static func wait(_ seconds: ClosedRange<Double>, _ random: inout SeededRandom) {
        Thread.sleep(forTimeInterval: Double.random(in: seconds, using: &random))
    }
}
