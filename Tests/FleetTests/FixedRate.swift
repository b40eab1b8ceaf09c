import Foundation
import LimpetTestKit
import Synchronization

/// Requests at a fixed rate, whatever becomes of those before: each latency counts from the moment at which its request
/// was to be sent, so that a stall shows in all that it delays.
struct FixedRate: Sendable {
    struct Sample: Sendable {
        /// Since the load began, in seconds.
        let time: Double
        /// In seconds.
        let latency: Double
        let session: String
        /// Nil where the request failed.
        let backend: String?
        let failure: String?
    }

    /// In requests per second.
    var rate = 200.0
    /// Threads, each with a connection to every replica, which take turns.
    var threads = 20

    /// Runs until `isOver`, and returns what became of every request.
    ///
    /// - Parameter request: the session and the replica of each request, by its number.
    func run(
        _ fleet: Fleet, isOver: @escaping @Sendable () -> Bool,
        _ request: @escaping @Sendable (Int) -> (session: String, replica: Int)
    ) async throws -> [Sample] {
        let begin = ContinuousClock.now
        return try await Threads.run(threads) { thread in
            let client = FleetClient(fleet)
            var samples: [Sample] = []
            var number = thread
            while !isOver() {
                let due = begin + .seconds(Double(number) / rate)
                let wait = (due - .now) / .seconds(1)
                if wait > 0 { Thread.sleep(forTimeInterval: wait) }
                let (session, replica) = request(number)
                samples.append(Self.sample(client, session, replica, begin: begin, due: due))
                number += threads
            }
            return samples
        }.flatMap(\.self)
    }

    private static func sample(
        _ client: FleetClient, _ session: String, _ replica: Int, begin: ContinuousClock.Instant,
        due: ContinuousClock.Instant
    ) -> Sample {
        var backend: String?
        var failure: String?
        do {
            backend = try client.backend(of: session, at: replica)
        } catch {
            failure = "\(error)"
        }
        let latency = (ContinuousClock.now - due) / .seconds(1)
        return Sample(
            time: (due - begin) / .seconds(1), latency: latency, session: session, backend: backend, failure: failure)
    }
}

extension [FixedRate.Sample] {
    /// The latency that this share of them does not exceed, in milliseconds.
    func quantile(_ share: Double) -> Double {
        let sorted = map(\.latency).sorted()
        guard !sorted.isEmpty else { return 0 }
        return sorted[Swift.min(sorted.count - 1, Int(share * Double(sorted.count)))] * 1000
    }

    /// The backends of each session.
    var backends: [String: Set<String>] {
        reduce(into: [:]) { $0[$1.session, default: []].formUnion([$1.backend].compactMap(\.self)) }
    }
}
