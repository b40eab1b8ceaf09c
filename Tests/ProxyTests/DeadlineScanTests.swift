import NIOCore
import NIOEmbedded
import Testing

@testable import Proxy

@Suite("Deadlines of an event loop")
struct DeadlineScanTests {
    private final class Holder: DeadlineHolder {
        var deadline: NIODeadline
        var sweepIndex = -1
        private(set) var passed = 0
        private let onPassing: (Holder) -> Void

        init(_ milliseconds: Int64, onPassing: @escaping (Holder) -> Void = { $0.deadline = .distantFuture }) {
            deadline = at(milliseconds)
            self.onPassing = onPassing
        }

        func deadlinePassed() {
            passed += 1
            onPassing(self)
        }
    }

    private static func at(_ milliseconds: Int64) -> NIODeadline { .uptimeNanoseconds(0) + .milliseconds(milliseconds) }

    @Test("that have passed are told, once each, and no others; one is over at its very moment")
    func passing() {
        let sweep = DeadlineScan()
        let holders = [10, 20, 30].map { Holder($0) }
        let never = Holder(0)
        never.deadline = .distantFuture
        for holder in holders + [never] { sweep.add(holder) }
        sweep.sweep(now: Self.at(9))
        #expect(holders.map(\.passed) == [0, 0, 0])
        sweep.sweep(now: Self.at(20))
        sweep.sweep(now: Self.at(20))
        #expect(holders.map(\.passed) == [1, 1, 0])
        sweep.sweep(now: Self.at(1_000_000))
        #expect(holders.map(\.passed) == [1, 1, 1] && never.passed == 0)
    }

    @Test("of no time never pass, and cost no place in it")
    func none() {
        let sweep = DeadlineScan()
        #expect(sweep.deadline(in: nil) == .distantFuture && NIODeadline.after(nil) == .distantFuture)
        #expect(sweep.deadline(in: .seconds(1)) < .distantFuture)
        #expect(NIODeadline.after(.seconds(60)) > .now() + .seconds(50))
    }

    @Test("are told again where a later one was set, and not to one that has left")
    func later() {
        let sweep = DeadlineScan()
        let again = Holder(10) { $0.deadline = Self.at(50) }
        let gone = Holder(10)
        sweep.add(again)
        sweep.add(gone)
        sweep.remove(gone)
        sweep.sweep(now: Self.at(10))
        sweep.sweep(now: Self.at(49))
        #expect(again.passed == 1 && gone.passed == 0)
        sweep.sweep(now: Self.at(50))
        #expect(again.passed == 2)
    }

    @Test("of all are told though each leaves, and others come, as it is told")
    func leaving() {
        let sweep = DeadlineScan()
        let newcomer = Holder(0)
        let holders = (0..<10).map { number in
            Holder(0) { holder in
                holder.deadline = .distantFuture
                sweep.remove(holder)
                if number == 5 { sweep.add(newcomer) }
            }
        }
        for holder in holders { sweep.add(holder) }
        sweep.sweep(now: Self.at(0))
        #expect(holders.allSatisfy { $0.passed == 1 })
        sweep.sweep(now: Self.at(0))
        #expect(holders.allSatisfy { $0.passed == 1 } && newcomer.passed == 1)
    }

    @Test("of those that leave out of turn, or twice, or never came, disturb no other's")
    func places() {
        let sweep = DeadlineScan()
        var held: [Holder] = []
        var left: [Holder] = []
        var number: UInt64 = 7
        for _ in 0..<2000 {
            number = number &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            if number >> 63 == 0 || held.isEmpty {
                let holder = Holder(10)
                sweep.add(holder)
                held.append(holder)
            } else {
                let holder = held.remove(at: Int((number >> 32) % UInt64(held.count)))
                sweep.remove(holder)
                sweep.remove(holder)
                left.append(holder)
            }
        }
        let stranger = Holder(10)
        stranger.sweepIndex = 0
        sweep.remove(stranger)
        sweep.sweep(now: Self.at(10))
        #expect(held.count > 10 && held.allSatisfy { $0.passed == 1 })
        #expect(left.count > 10 && left.allSatisfy { $0.passed == 0 } && stranger.passed == 0)
    }

    @Test("are looked after four times a second, until that is stopped")
    func interval() {
        let loop = EmbeddedEventLoop()
        let sweep = DeadlineScan()
        let holder = Holder(0) { _ in }
        sweep.add(holder)
        var times = 0
        sweep.start(on: loop) { times += 1 }
        loop.advanceTime(by: .milliseconds(249))
        #expect(times == 0 && holder.passed == 0)
        loop.advanceTime(by: .milliseconds(1))
        #expect(times == 1 && holder.passed == 1)
        loop.advanceTime(by: .seconds(1))
        #expect(times == 5 && holder.passed == 5)
        sweep.stop()
        loop.advanceTime(by: .seconds(10))
        #expect(times == 5 && holder.passed == 5)
    }
}
