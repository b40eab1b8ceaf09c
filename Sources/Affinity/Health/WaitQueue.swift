/// First in, first out, with room for a limited number; any element can leave before its turn. Pure.
package struct WaitQueue<Element> {
    /// Names one element, for as long as it waits.
    package typealias Ticket = UInt64

    private var elements: [Ticket: Element] = [:]
    private(set) var first: Ticket = 0
    private(set) var next: Ticket = 0

    package init() {}

    package var count: Int { elements.count }
    package var isEmpty: Bool { elements.isEmpty }

    /// Nil if this many wait already.
    package mutating func append(_ element: Element, capacity: Int = .max) -> Ticket? {
        guard elements.count < capacity else { return nil }
        defer { next += 1 }
        elements[next] = element
        return next
    }

    package mutating func popFirst() -> Element? {
        while first < next {
            defer { first += 1 }
            if let element = elements.removeValue(forKey: first) { return element }
        }
        return nil
    }

    /// Nil if the element has left before.
    @discardableResult
    package mutating func remove(_ ticket: Ticket) -> Element? {
        defer { if elements.isEmpty { first = next } }
        return elements.removeValue(forKey: ticket)
    }
}

extension WaitQueue: Sendable where Element: Sendable {}
