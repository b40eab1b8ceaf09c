import LimpetTestKit
import Synchronization

/// What the processes of replicas hold, from soon after their start until their end.
final class SoakGrowth: Sendable {
    struct Size: Sendable {
        var resident: Int
        var descriptors: Int
    }

    /// Of one process.
    private struct Track {
        let name: String
        let begin: ContinuousClock.Instant
        var first: Size?
        var last: Size?
    }

    /// So long after its start a process has made what is made once.
    private static let warmUp = Duration.seconds(8)

    private let tracks = Mutex<[Int32: Track]>([:])

    /// To be called now and then.
    func look(at fleet: Fleet) throws {
        for replica in fleet.replicas {
            let pid = replica.process.pid
            let size = Size(
                resident: try ProcessStatus(pid).resident, descriptors: try ProcessStatus.descriptors(of: pid))
            tracks.withLock { tracks in
                var track = tracks[pid] ?? Track(name: replica.name, begin: .now)
                if track.begin.duration(to: .now) >= Self.warmUp {
                    if track.first == nil { track.first = size }
                    track.last = size
                }
                tracks[pid] = track
            }
        }
    }

    private var pairs: [(name: String, first: Size, last: Size)] {
        tracks.withLock { tracks in
            tracks.sorted { ($0.value.name, $0.key) < ($1.value.name, $1.key) }.compactMap { _, track in
                track.first.flatMap { first in track.last.map { (track.name, first, $0) } }
            }
        }
    }

    /// A line for each process.
    var lines: [String] {
        pairs.map { name, first, last in
            "\(name): \(first.resident >> 10) → \(last.resident >> 10) KiB, "
                + "\(first.descriptors) → \(last.descriptors) descriptors"
        }
    }

    /// The processes that have grown by more than an allocator's moods and a few connections account for.
    var grown: [String] {
        zip(pairs, lines).filter { pair, _ in
            pair.last.resident > pair.first.resident + pair.first.resident / 4 + 16 << 20
                || pair.last.descriptors > pair.first.descriptors + 24
        }.map(\.1)
    }
}
