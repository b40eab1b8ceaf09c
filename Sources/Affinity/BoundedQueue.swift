/// First in, first out. A full queue drops what is appended.
struct BoundedQueue<Element: Sendable>: Sendable {
    private let capacity: Int
    private var elements: [Element] = []
    private var start = 0

    init(capacity: Int) {
        self.capacity = capacity
    }

    var count: Int { elements.count - start }
    var isEmpty: Bool { count == 0 }
    var first: Element? { isEmpty ? nil : elements[start] }

    /// Returns false if the queue was full.
    @discardableResult
    mutating func append(_ element: Element) -> Bool {
        guard count < capacity else { return false }
        elements.append(element)
        return true
    }

    mutating func popFirst() -> Element? {
        guard !isEmpty else { return nil }
        let element = elements[start]
        start += 1
        // Shifting the rest pays off once half of the storage is used up.
        if start == elements.count {
            elements.removeAll()
            start = 0
        } else if start >= 64, start * 2 >= elements.count {
            elements.removeFirst(start)
            start = 0
        }
        return element
    }
}
