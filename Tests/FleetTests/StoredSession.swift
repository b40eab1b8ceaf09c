import LimpetTestKit

/// A record as the store holds it.
struct StoredSession: Equatable, Sendable {
    let value: String
    let lifeMilliseconds: Int
}

extension Fleet {
    /// All records of sessions in the store, by key, at one moment.
    func storedSessions() throws -> [String: StoredSession] {
        let script = """
            local lines = {}
            for _, key in ipairs(redis.call('KEYS', ARGV[1])) do
                lines[#lines + 1] = key .. ' ' .. redis.call('GET', key) .. ' ' .. redis.call('PTTL', key)
            end
            return lines
            """
        var sessions: [String: StoredSession] = [:]
        for line in try redis.command("EVAL", script, "0", Self.recordPattern).split(separator: "\n") {
            let words = line.split(separator: " ")
            guard words.count == 3, let life = Int(words[2]) else { throw Unexpected(description: "\(line)") }
            sessions[String(words[0])] = StoredSession(value: String(words[1]), lifeMilliseconds: life)
        }
        return sessions
    }

    /// How many there are.
    func storedSessionCount() throws -> Int {
        Int(try redis.command("EVAL", "return #redis.call('KEYS', ARGV[1])", "0", Self.recordPattern)) ?? 0
    }

    /// Waits until the store holds all sessions that it once held, each with at least 3/4 of the life that it would
    /// have now. Describes what is missing when this many seconds are over; empty if nothing is. Blocks.
    ///
    /// - Parameters:
    ///   - former: what it held.
    ///   - taken: when it did.
    func missing(
        from former: [String: StoredSession], taken: ContinuousClock.Instant, after seconds: Double
    ) throws -> [String] {
        var faults: [String] = []
        _ = try Waiting.until(within: seconds) {
            guard try storedSessionCount() >= former.count else { return false }
            faults = try faultsNow(former, taken)
            return faults.isEmpty
        }
        return try faults.isEmpty ? faultsNow(former, taken) : faults
    }

    private func faultsNow(_ former: [String: StoredSession], _ taken: ContinuousClock.Instant) throws -> [String] {
        let present = try storedSessions()
        let elapsed = Int(taken.duration(to: .now) / .milliseconds(1))
        var faults: [String: [String]] = [:]
        for (key, session) in former {
            guard let now = present[key] else {
                faults["are missing", default: []].append("\(key) \(session.value)")
                continue
            }
            if now.value != session.value {
                faults["are other ones", default: []].append("\(key) \(now.value), not \(session.value)")
            } else if now.lifeMilliseconds < (session.lifeMilliseconds - elapsed) * 3 / 4 {
                let life = "\(now.lifeMilliseconds) of \(session.lifeMilliseconds - elapsed) ms"
                faults["have lost life", default: []].append("\(key) \(life)")
            }
        }
        return faults.map { "\($1.count) of \(former.count) \($0), as \($1[0])" }.sorted()
    }
}
