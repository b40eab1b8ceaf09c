import Proxy

/// Checks services of services for cycles, excessive depth, and levels that share a cookie.
struct ServiceNesting {
    struct Fault {
        /// An index into `services`.
        let service: Int
        let message: String
    }

    static let levelsMax = 8
    private static let namesMax = 12

    private(set) var faults: [Fault] = []
    private let services: [ServiceSettings]
    /// Indices. Children beyond `services` have no children of their own and are left out.
    private let children: [[Int]]

    init(_ services: [ServiceSettings]) {
        self.services = services
        children = services.map { service in service.children.map(\.service).filter { $0 < services.count } }
        let order = childrenFirst()
        findTooDeep(order)
        findSharedCookies(order)
        findCycles(isFree: Set(order))
    }

    /// Children before their parents (topological order). Services that lead into a cycle are left out.
    private func childrenFirst() -> [Int] {
        var waiting = children.map(\.count)
        var parents: [[Int]] = Array(repeating: [], count: services.count)
        for (index, children) in children.enumerated() {
            for child in children { parents[child].append(index) }
        }
        var order = services.indices.filter { waiting[$0] == 0 }
        var next = 0
        while next < order.count {
            for parent in parents[order[next]] {
                waiting[parent] -= 1
                if waiting[parent] == 0 { order.append(parent) }
            }
            next += 1
        }
        return order
    }

    /// Reports only the lowest service that exceeds the limit.
    private mutating func findTooDeep(_ order: [Int]) {
        var levels = Array(repeating: 0, count: services.count)
        for index in order where !children[index].isEmpty {
            levels[index] = 1 + (children[index].map { levels[$0] }.max() ?? 0)
            guard levels[index] == Self.levelsMax + 1 else { continue }
            faults.append(
                Fault(
                    service: index, message: "nests services more than \(Self.levelsMax) levels deep"))
        }
    }

    /// A client holds one cookie per name: two levels that share a name would overwrite each other's cookie.
    private mutating func findSharedCookies(_ order: [Int]) {
        var names: [Set<String>] = Array(repeating: [], count: services.count)
        for index in order {
            for child in children[index] { names[index].formUnion(names[child]) }
            guard let name = services[index].sticky?.cookie?.name else { continue }
            if !names[index].insert(name).inserted {
                faults.append(
                    Fault(
                        service: index,
                        message:
                            "has the same cookie \(name) as a service below it: give each level its own cookie name"))
            }
        }
    }

    /// Services that lead to each other form one cycle, however many paths it contains. The cycle is reported once, at
    /// its first service by name, with the shortest path from there.
    private mutating func findCycles(isFree: Set<Int>) {
        let groups = stronglyConnectedComponents(isFree: isFree)
        var isNamed: Set<Int> = []
        for start in services.indices where !isFree.contains(start) && isNamed.insert(groups[start]).inserted {
            guard let way = wayBack(to: start, groups) else { continue }
            var names = way.map { services[$0].name }
            if names.count > Self.namesMax { names.replaceSubrange(Self.namesMax - 1..<names.count - 1, with: ["…"]) }
            faults.append(
                Fault(service: start, message: "refers back to itself: \(names.joined(separator: " → "))"))
        }
    }

    /// A path from a service back to itself, both ends included. Nil if no path leads back.
    private func wayBack(to start: Int, _ groups: [Int]) -> [Int]? {
        var before: [Int: Int] = [:]
        var queue = [start]
        var next = 0
        while next < queue.count {
            let service = queue[next]
            next += 1
            for child in children[service] where groups[child] == groups[start] && before[child] == nil {
                before[child] = service
                if child == start { return Self.way(to: start, before) }
                queue.append(child)
            }
        }
        return nil
    }

    private static func way(to start: Int, _ before: [Int: Int]) -> [Int] {
        var way = [start]
        var service = before[start]
        while let known = service, known != start {
            way.append(known)
            service = before[known]
        }
        return (way + [start]).reversed()
    }

    /// Assigns each service a number, equal for services that lead to each other (Kosaraju). Not recursive: chains may
    /// be long.
    private func stronglyConnectedComponents(isFree: Set<Int>) -> [Int] {
        var parents: [[Int]] = Array(repeating: [], count: services.count)
        for (index, children) in children.enumerated() where !isFree.contains(index) {
            for child in children { parents[child].append(index) }
        }
        var groups = Array(repeating: -1, count: services.count)
        for start in finished(isFree: isFree).reversed() where groups[start] < 0 {
            var waiting = [start]
            groups[start] = start
            while let service = waiting.popLast() {
                for parent in parents[service] where groups[parent] < 0 {
                    groups[parent] = start
                    waiting.append(parent)
                }
            }
        }
        return groups
    }

    /// The order in which a depth-first walk leaves the services.
    private func finished(isFree: Set<Int>) -> [Int] {
        var order: [Int] = []
        var isSeen = services.indices.map(isFree.contains)
        for start in services.indices where !isSeen[start] {
            isSeen[start] = true
            var path = [(service: start, next: 0)]
            while let (service, next) = path.last {
                guard next < children[service].count else {
                    order.append(service)
                    path.removeLast()
                    continue
                }
                path[path.count - 1].next += 1
                let child = children[service][next]
                guard !isSeen[child] else { continue }
                isSeen[child] = true
                path.append((child, 0))
            }
        }
        return order
    }
}
