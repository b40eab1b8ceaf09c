import NIOCore

/// An object with a time by which it must have made progress.
protocol DeadlineHolder: AnyObject {
    /// `NIODeadline.distantFuture` without a deadline.
    var deadline: NIODeadline { get }
    /// The index in the sweep; only the sweep writes it.
    var sweepIndex: Int { get set }

    /// Called once for a deadline that has passed. Must set a later deadline or leave the sweep.
    func deadlinePassed()
}

extension NIODeadline {
    /// A deadline in `amount` from now; none if that is nil.
    static func after(_ amount: TimeAmount?) -> NIODeadline { amount.map { .now() + $0 } ?? .distantFuture }

    var uptimeMilliseconds: UInt64 { uptimeNanoseconds / 1_000_000 }
}

/// Checks all deadlines of an event loop with one repeated task: a timer per connection would be set and cancelled for
/// every request. A deadline fires at most ``interval`` late.
final class DeadlineScan {
    static let interval = TimeAmount.milliseconds(250)

    private var holders: [any DeadlineHolder] = []
    /// The expected time of the next sweep.
    private var nextSweep = NIODeadline.now() + DeadlineScan.interval
    private var task: RepeatedTask?

    /// - Parameter eachTime: additional work to do after each sweep.
    func start(on loop: any EventLoop, eachTime: @escaping () -> Void = {}) {
        let bound = NIOLoopBound((sweep: self, eachTime: eachTime), eventLoop: loop)
        task = loop.scheduleRepeatedTask(initialDelay: Self.interval, delay: Self.interval) { _ in
            bound.value.sweep.sweep(now: .now())
            bound.value.eachTime()
        }
    }

    func stop() {
        task?.cancel()
        task = nil
    }

    func add(_ holder: any DeadlineHolder) {
        holder.sweepIndex = holders.count
        holders.append(holder)
    }

    func remove(_ holder: any DeadlineHolder) {
        let index = holder.sweepIndex
        guard holders.indices.contains(index), holders[index] === holder else { return }
        holders.swapAt(index, holders.count - 1)
        holders[index].sweepIndex = index
        holders.removeLast()
        holder.sweepIndex = -1
    }

    /// A deadline that passes at the earliest after `amount`, and at most ``interval`` later. Does not read the clock,
    /// so it suits deadlines that every request sets.
    ///
    /// - Parameter amount: nil for none.
    func deadline(in amount: TimeAmount?) -> NIODeadline { amount.map { nextSweep + $0 } ?? .distantFuture }

    /// Iterates from the end, because a holder whose deadline passed may leave, and another one takes its index.
    func sweep(now: NIODeadline) {
        nextSweep = now + Self.interval
        var index = holders.count - 1
        while index >= 0 {
            if index < holders.count, holders[index].deadline <= now { holders[index].deadlinePassed() }
            index -= 1
        }
    }
}
