import LimpetTestKit
import Synchronization
import Testing

@testable import Affinity

@Suite("Requests that wait for a backend at its limit")
struct BackendCapacityTests {
    private static let nobody: BackendCapacity.Wake = {}

    @Test("stand in a queue that keeps their order, has an end, and lets any of them leave")
    func queue() {
        var queue = WaitQueue<Int>()
        let tickets = (0..<4).map { queue.append($0, capacity: 3) }
        #expect(tickets.map { $0 == nil } == [false, false, false, true])
        let left = tickets[1].map { queue.remove($0) }
        #expect(left == 1 && queue.count == 2)
        let again = tickets[1].flatMap { queue.remove($0) }
        #expect(again == nil)
        let late = queue.append(9, capacity: 3)
        var order: [Int] = []
        while let next = queue.popFirst() { order.append(next) }
        #expect(order == [0, 2, 9] && queue.isEmpty)
        let gone = late.flatMap { queue.remove($0) }
        #expect(gone == nil)
    }

    @Test("leave nothing behind to be searched, once the last of them has left")
    func emptied() {
        var queue = WaitQueue<Int>()
        for number in 0..<1000 {
            let ticket = queue.append(number)
            _ = ticket.flatMap { queue.remove($0) }
        }
        #expect(queue.isEmpty && queue.first == queue.next)
        _ = queue.append(7)
        let next = queue.popFirst()
        #expect(next == 7)
    }

    @Test("are woken one for each that ends, in their order; one that has left is passed over")
    func order() {
        let capacity = BackendCapacity()
        let woken = Mutex<[Int]>([])
        #expect(!capacity.isFull)
        #expect(capacity.enter(limit: 1, queueSize: 3, wake: Self.nobody) == .admitted)
        #expect(capacity.isFull)
        var tickets: [BackendCapacity.Ticket] = []
        for number in 0..<3 {
            let admission = capacity.enter(limit: 1, queueSize: 3) { woken.withLock { $0.append(number) } }
            if case .waits(let ticket) = admission { tickets.append(ticket) }
        }
        #expect(tickets.count == 3)
        #expect(capacity.enter(limit: 1, queueSize: 3, wake: Self.nobody) == .full)
        capacity.stopWaiting(tickets[1])
        capacity.leave(limit: 1)
        #expect(woken.withLock { $0 } == [0])
        capacity.leave(limit: 1)
        #expect(woken.withLock { $0 } == [0, 2] && capacity.isFull)
        capacity.leave(limit: 1)
        #expect(woken.withLock { $0 } == [0, 2] && !capacity.isFull)
        #expect(capacity.counts == .init(underWay: 0, waiting: 0, waited: 3, refused: 1))
    }

    @Test("get the places that a raised limit brings, at once; a lowered one lets those under way end")
    func reconfigured() {
        let capacity = BackendCapacity()
        let woken = Mutex(0)
        for _ in 0..<2 { #expect(capacity.enter(limit: 2, queueSize: 0, wake: Self.nobody) == .admitted) }
        for _ in 0..<4 { _ = capacity.enter(limit: 2, queueSize: 9) { woken.withLock { $0 += 1 } } }
        capacity.reconfigured(limit: 3)
        #expect(woken.withLock { $0 } == 1 && capacity.counts.waiting == 3)
        for _ in 0..<2 { capacity.leave(limit: 1) }
        #expect(woken.withLock { $0 } == 1 && capacity.counts.underWay == 1)
        capacity.reconfigured(limit: .max)
        #expect(woken.withLock { $0 } == 4 && !capacity.isFull)
    }

    @Test("keep new sessions away from it while there is another backend")
    func placement() throws {
        var fleet = try Fleet()
        let full = fleet.replicas[0].health.backends[0].capacity
        #expect(full.enter(limit: 1, queueSize: 0, wake: Self.nobody) == .admitted)
        for _ in 0..<50 {
            let route = fleet.replicas[0].balance(nil, now: Instant(nanoseconds: 0))
            #expect(route?.backend != 0)
        }
        full.leave(limit: 1)
        let chosen = (0..<5).map { _ in fleet.replicas[0].balance(nil, now: Instant(nanoseconds: 0))?.backend }
        #expect(chosen.contains(0))
    }

    /// Requests of several threads, each of which takes a place, and gives it back.
    private final class Crowd: Sendable {
        static let limit = 3

        let capacity = BackendCapacity()
        let served = Atomic(0)
        let most = Atomic(0)
        private let underWay = Atomic(0)
        private let granted = Mutex(0)

        func ask() -> BackendCapacity.Admission {
            let admission = capacity.enter(limit: Self.limit, queueSize: .max) { [self] in
                granted.withLock { $0 += 1 }
            }
            if admission == .admitted { serve() }
            return admission
        }

        /// Serves those that waited and were given a place.
        func serveGranted() {
            while takeGranted() { serve() }
        }

        private func takeGranted() -> Bool {
            granted.withLock { count in
                guard count > 0 else { return false }
                count -= 1
                return true
            }
        }

        private func serve() {
            let count = underWay.add(1, ordering: .relaxed).newValue
            most.max(count, ordering: .relaxed)
            served.add(1, ordering: .relaxed)
            underWay.subtract(1, ordering: .relaxed)
            capacity.leave(limit: Self.limit)
        }
    }

    @Test("on several threads: no more than the limit are served at once, and nobody is forgotten")
    func threads() async throws {
        let crowd = Crowd()
        let (threads, rounds) = (4, 2000)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for thread in 0..<threads {
                group.addTask {
                    try await Threads.run {
                        for round in 0..<rounds {
                            crowd.serveGranted()
                            // Some give up; a place that is on its way is used or given back all the same.
                            guard case .waits(let ticket) = crowd.ask(), round % 7 == thread else { continue }
                            crowd.capacity.stopWaiting(ticket)
                        }
                    }
                }
            }
            try await group.waitForAll()
        }
        crowd.serveGranted()
        let (counts, isFull) = (crowd.capacity.counts, crowd.capacity.isFull)
        #expect(counts.underWay == 0 && counts.waiting == 0 && !isFull)
        #expect(crowd.most.load(ordering: .relaxed) <= Crowd.limit)
        #expect(crowd.served.load(ordering: .relaxed) >= threads * rounds * 6 / 7 - threads)
    }
}
