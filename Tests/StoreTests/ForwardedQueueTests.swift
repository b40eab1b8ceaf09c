import Affinity
import Testing

@testable import Store

@Suite("The operations that one loop has forwarded to another")
struct ForwardedQueueTests {
    private final class Nobody: StoreWaiter {
        func storeAnswered(_ result: StoreResult, to operation: StoreOperation, stamp: OperationStamp) {}
    }

    private let nobody = Nobody()
    private let touch = StoreOperation.touch(.test(3), lifetimeMilliseconds: 1000)
    private let create = StoreOperation.create(.test(1), BackendHash(bits: 9), lifetimeMilliseconds: 1000)

    private func at(_ milliseconds: Int64) -> Instant { Instant(nanoseconds: milliseconds * 1_000_000) }
    private func queue() -> ForwardedQueue { ForwardedQueue(budgetNanoseconds: 20_000_000) }

    @Test("Each is reported once, in any order")
    func reports() throws {
        var queue = queue()
        let numbers = (0..<4).map { queue.add(.touch(.test($0), lifetimeMilliseconds: 1), for: nobody, now: at(0)) }
        for number in [2, 0, 3, 1] as [Int] {
            let reported = try #require(numbers[number])
            let pending = queue.report(reported)
            #expect(pending?.operation.fingerprint == .test(UInt64(number)))
            #expect(queue.report(reported) == nil)
        }
        #expect(queue.nextDeadline == nil)
        #expect(queue.report(4) == nil && queue.report(.max) == nil)
    }

    @Test("One is late when its budget is over, counted from the asking, and has its result then")
    func late() throws {
        var queue = queue()
        let firstNumber = queue.add(touch, for: nobody, now: at(0))
        let first = try #require(firstNumber)
        let secondNumber = queue.add(create, for: nobody, now: at(5))
        let second = try #require(secondNumber)
        let thirdNumber = queue.add(touch, for: nobody, now: at(7))
        let third = try #require(thirdNumber)
        #expect(queue.nextDeadline == at(20))
        let early = queue.nextLate(now: at(19))
        #expect(early == nil)
        let late = queue.nextLate(now: at(20))
        #expect(late?.operation == touch && late?.sentAt == at(0))
        #expect(queue.nextDeadline == at(25))
        let told = queue.report(second)
        #expect(told?.operation == create)
        #expect(queue.nextDeadline == at(27))
        let again = queue.report(first)
        #expect(again == nil)
        let last = queue.report(third)
        #expect(last?.sentAt == at(7))
        #expect(queue.nextDeadline == nil)
    }

    @Test("A full queue takes none, also if all are late, until they are reported")
    func full() throws {
        var queue = queue()
        var numbers: [UInt64] = []
        while let number = queue.add(create, for: nobody, now: at(0)) { numbers.append(number) }
        #expect(numbers.count == RedisConnectionState.capacity / 2)
        var late = 0
        while queue.nextLate(now: at(20)) != nil { late += 1 }
        #expect(late == numbers.count)
        let none = queue.add(touch, for: nobody, now: at(21))
        #expect(none == nil)
        _ = queue.report(numbers[7])
        let one = queue.add(create, for: nobody, now: at(21))
        #expect(one == UInt64(numbers.count))
        let more = queue.add(touch, for: nobody, now: at(21))
        #expect(more == nil)
    }

    @Test("All that wait are lost at the end, in order")
    func lost() throws {
        var queue = queue()
        for number in 0..<5 as Range<UInt64> {
            _ = queue.add(.touch(.test(number), lifetimeMilliseconds: 1), for: nobody, now: at(0))
        }
        _ = queue.report(1)
        var lost: [Fingerprint] = []
        while let next = queue.nextLost() { lost.append(next.operation.fingerprint) }
        #expect(lost == [0, 2, 3, 4].map { .test($0) })
        let reported = queue.report(0)
        #expect(reported == nil)
    }

    @Test("Whatever happens in whatever order, each has one result and room returns")
    func anyOrder() {
        var random = SplitMix(seed: 11)
        for _ in 0..<50 {
            var queue = queue()
            var unreported: [UInt64] = []
            var (asked, told, time) = (0, 0, Int64(0))
            while asked < 60 {
                time += Int64(random.next() % 6)
                if random.next() % 2 == 0 {
                    guard let number = queue.add(random.next() % 2 == 0 ? create : touch, for: nobody, now: at(time))
                    else { break }
                    unreported.append(number)
                    asked += 1
                } else if !unreported.isEmpty {
                    let number = unreported.remove(at: Int(random.next() % UInt64(unreported.count)))
                    if queue.report(number) != nil { told += 1 }
                }
                while queue.nextLate(now: at(time)) != nil { told += 1 }
            }
            for number in unreported where queue.report(number) != nil { told += 1 }
            #expect(told == asked && asked == 60)
            #expect(queue.nextDeadline == nil)
            var room = 0
            while queue.add(create, for: nobody, now: at(time)) != nil { room += 1 }
            #expect(room == RedisConnectionState.capacity / 2)
        }
    }
}
