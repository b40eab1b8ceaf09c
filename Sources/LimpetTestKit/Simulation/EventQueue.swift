/// Events by time; events at the same time are in the order in which they were added.
struct EventQueue {
    struct Entry {
        let time: Moment
        let order: UInt64
        let event: SimulationEvent

        func precedes(_ other: Entry) -> Bool { time == other.time ? order < other.order : time < other.time }
    }

    private var heap: [Entry] = []
    private var added: UInt64 = 0

    mutating func add(_ event: SimulationEvent, at time: Moment) {
        added += 1
        insert(Entry(time: time, order: added, event: event))
    }

    /// Postpones an event. Among the events of the new time it keeps its original order.
    mutating func postpone(_ entry: Entry, to time: Moment) {
        insert(Entry(time: time, order: entry.order, event: entry.event))
    }

    mutating func next() -> Entry? {
        guard let first = heap.first else { return nil }
        let last = heap.removeLast()
        if !heap.isEmpty {
            heap[0] = last
            sink()
        }
        return first
    }

    private mutating func insert(_ entry: Entry) {
        heap.append(entry)
        var child = heap.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard heap[child].precedes(heap[parent]) else { return }
            heap.swapAt(child, parent)
            child = parent
        }
    }

    private mutating func sink() {
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count {
                if heap[child].precedes(heap[least]) { least = child }
            }
            guard least != parent else { return }
            heap.swapAt(parent, least)
            parent = least
        }
    }
}
