import Foundation
import LimpetTestKit
import Synchronization

/// Prints the progress of a campaign, at most every two seconds.
final class ProgressLine: Sendable {
    private let shownAt = Mutex(Date.distantPast)

    func show(_ result: SimulationCampaign.Result, of seeds: UInt64) {
        let isDue = shownAt.withLock { shownAt in
            guard Date().timeIntervalSince(shownAt) > 2 else { return false }
            shownAt = Date()
            return true
        }
        guard isDue else { return }
        let line = "\(result.runs) of \(seeds) seeds, \(result.findings.count) with a violation\n"
        FileHandle.standardError.write(Data(line.utf8))
    }
}
