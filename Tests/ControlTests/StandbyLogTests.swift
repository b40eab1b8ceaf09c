import Affinity
import Logging
import Testing

@testable import Control

@Suite("What the log says of standby")
struct StandbyLogTests {
    private static func levels(_ statuses: [StandbyStatus]) -> [Logger.Level] {
        var log = StandbyLog()
        return statuses.flatMap { log.lines(on: $0).map(\.level) }
    }

    @Test("becoming synced and ceasing to be is said, nothing between")
    func synced() {
        #expect(
            Self.levels([.notSynced(.waiting), .syncing(sessions: 0), .synced, .refilling, .notSynced(.waiting)])
                == [.info, .notice])
    }

    @Test("the commands whose rights a scan needs are named")
    func commands() {
        var log = StandbyLog()
        let lines = log.lines(on: .notSynced(.scanFailed))
        #expect(lines.count == 1 && lines[0].message.description.contains("refuses SCAN, GETRANGE or PTTL"))
        #expect(StandbyView(.notSynced(.scanFailed)).explanation?.contains("`+getrange` and `+pttl`") == true)
    }

    @Test("a store that cannot be scanned is said once, however often it is tried, and again after it was synced")
    func scanFailed() {
        let failing: [StandbyStatus] = [.syncing(sessions: 0), .notSynced(.scanFailed)]
        #expect(Self.levels(failing + failing + failing) == [.warning])
        #expect(Self.levels(failing + [.synced] + failing + failing) == [.warning, .info, .notice, .warning])
    }
}
