import NIOCore

/// Work that is done once at the end of a turn of the loop, however often it was asked for in it.
protocol TurnEndWork: AnyObject {
    func turnEnds()
}

/// Collects the work for the end of a turn: after all events that the loop found at once. Confined to its loop.
struct TurnEnd {
    private var work: [any TurnEndWork] = []

    /// - Returns: whether this is the first work of the turn: then the end of the turn must be awaited.
    mutating func add(_ work: any TurnEndWork) -> Bool {
        self.work.append(work)
        return self.work.count == 1
    }

    mutating func takeWork() -> [any TurnEndWork] {
        defer { work = [] }
        return work
    }
}

extension LoopContext {
    /// Each asks once a turn.
    func atTurnEnd(_ work: any TurnEndWork) {
        guard turnEnd.add(work) else { return }
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        eventLoop.execute { for work in bound.value.turnEnd.takeWork() { work.turnEnds() } }
    }
}
