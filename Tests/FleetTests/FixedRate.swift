import Foundation
import LimpetTestKit
import Synchronization

/// Requests at a fixed rate, whatever becomes of those before: each latency counts from the moment at which its request
/// was to be sent, so that a stall shows in all that it delays.
struct FixedRate: Sendable {
    struct Sample: Sendable {
        /// Since the load began, in seconds.
        let time: Double
        /// The moment itself, in seconds since 1970.
        let wallTime: Double
        /// In seconds.
        let latency: Double
        let session: String
        /// Of the request; no two are alike.
        let target: String
        /// Nil where the request failed.
        let backend: String?
        let failure: String?
    }

    /// How many requests of a load have ended, in whatever way.
    final class Progress: Sendable {
        private let ended = Mutex(0)

        fileprivate func requestEnded() { ended.withLock { $0 += 1 } }

        /// Returns once so many more have. Blocks.
        func awaitRequests(_ count: Int) throws {
            let target = ended.withLock { $0 } + count
            guard Waiting.until(within: 30, { ended.withLock { $0 >= target } }) else {
                throw Unexpected(description: "the load does not get on")
            }
        }
    }

    /// In requests per second.
    var rate = 200.0
    /// Threads, each with a connection to every replica, which take turns.
    var threads = 20
    /// Whether clients go to the next replica where one takes no connection.
    var movesOn = false
    /// What begins all targets: different for loads of which one history is made.
    var name = "load"

    /// Runs until `isOver`, and returns what became of every request.
    ///
    /// - Parameter request: the session and the replica of each request, by its number.
    func run(
        _ fleet: Fleet, isOver: @escaping @Sendable () -> Bool, progress: Progress = Progress(),
        _ request: @escaping @Sendable (Int) -> (session: String, replica: Int)
    ) async throws -> [Sample] {
        let (begin, wallBegin) = (ContinuousClock.now, Fleet.wallClock)
        return try await Threads.run(threads) { thread in
            let client = FleetClient(fleet, movesOn: movesOn)
            var samples: [Sample] = []
            var number = thread
            while !isOver() {
                let due = begin + .seconds(Double(number) / rate)
                let wait = (due - .now) / .seconds(1)
                if wait > 0 { Thread.sleep(forTimeInterval: wait) }
                let (session, replica) = request(number)
                let target = "/\(name)/\(number)"
                let (backend, failure) = Self.answer { try client.backend(of: session, at: replica, target) }
                let time = Double(number) / rate
                samples.append(
                    Sample(
                        time: time, wallTime: wallBegin + time, latency: (ContinuousClock.now - due) / .seconds(1),
                        session: session, target: target, backend: backend, failure: failure))
                progress.requestEnded()
                number += threads
            }
            return samples
        }.flatMap(\.self)
    }

    private static func answer(_ body: () throws -> String) -> (backend: String?, failure: String?) {
        do {
            return (try body(), nil)
        } catch {
            return (nil, "\(error)")
        }
    }
}

extension [FixedRate.Sample] {
    /// The latency that this share of them does not exceed, in milliseconds.
    func quantile(_ share: Double) -> Double {
        let sorted = map(\.latency).sorted()
        guard !sorted.isEmpty else { return 0 }
        return sorted[Swift.min(sorted.count - 1, Int(share * Double(sorted.count)))] * 1000
    }

    /// In milliseconds: the p99 of half of the seconds, or the p90 of all requests where that is longer. A busy machine
    /// spoils a second here and there; what delays requests again and again, or for long, shows.
    var lastingP99: Double {
        let ofSeconds = Dictionary(grouping: self) { Int($0.time) }.values.map { $0.quantile(0.99) }.sorted()
        guard !ofSeconds.isEmpty else { return 0 }
        return Swift.max(ofSeconds[(ofSeconds.count - 1) / 2], quantile(0.9))
    }

    /// In words: how many, how many failed, and p50, p99 and the worst in milliseconds.
    var figures: String {
        let latencies = [0.5, 0.99, 1].map { String(format: "%.1f", quantile($0)) }.joined(separator: ", ")
        return "\(count) requests, \(count { $0.failure != nil }) failed; p50, p99, worst: \(latencies) ms"
    }

    /// The backend that answered, by the target of each request that was answered.
    var seen: [String: String] {
        reduce(into: [:]) { $0[$1.target] = $1.backend }
    }

    /// What went wrong, shortened.
    var failures: [String] {
        let failed = compactMap { sample in sample.failure.map { "\(String(format: "%.2f", sample.time)) s: \($0)" } }
        return failed.count > 10 ? failed.prefix(10) + ["and \(failed.count - 10) more"] : failed
    }

    /// The backends of each session.
    var backends: [String: Set<String>] {
        reduce(into: [:]) { $0[$1.session, default: []].formUnion([$1.backend].compactMap(\.self)) }
    }
}
