import NIOCore

/// Something with a time by which it must have made progress.
protocol DeadlineHolder: AnyObject {
    /// `NIODeadline.distantFuture` where nothing is due.
    var deadline: NIODeadline { get }
    /// Its place in the sweep; only the sweep writes it.
    var sweepIndex: Int { get set }

    /// Called once for a deadline that has passed; must set a later one or leave the sweep.
    func deadlinePassed()
}

/// Looks after all deadlines of an event loop with one repeated task, because a timer per connection would be set and
/// cancelled for every request. A deadline is acted on at most ``interval`` late.
final class DeadlineSweep {
    static let interval = TimeAmount.milliseconds(250)

    private var holders: [any DeadlineHolder] = []
    /// The time of the next sweep, as far as it is known.
    private var nextSweep = NIODeadline.now() + DeadlineSweep.interval
    private var task: RepeatedTask?

    /// - Parameter eachTime: what else is to be seen to as often.
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

    /// A deadline that passes at the earliest when `amount` is over, and at most ``interval`` later. Costs no look at
    /// the clock, so it is for those that each request sets.
    func deadline(in amount: TimeAmount) -> NIODeadline { nextSweep + amount }

    /// From the end, because a holder whose deadline passed may leave, and another takes its place.
    func sweep(now: NIODeadline) {
        nextSweep = now + Self.interval
        var index = holders.count - 1
        while index >= 0 {
            if index < holders.count, holders[index].deadline <= now { holders[index].deadlinePassed() }
            index -= 1
        }
    }
}
