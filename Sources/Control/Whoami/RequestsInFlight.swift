import Synchronization

/// Counts the requests under way at a demonstration backend, over all its connections.
final class RequestsInFlight: Sendable {
    private let number = Atomic(0)

    init() {}

    var count: Int { number.load(ordering: .relaxed) }

    func began() { number.add(1, ordering: .relaxed) }

    func ended() { number.subtract(1, ordering: .relaxed) }
}
