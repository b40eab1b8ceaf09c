/// What weighted services of weighted services must not be: circles, towers, and levels that share a cookie.
struct WeightedNesting {
    struct Fault {
        /// An index.
        let service: Int
        let message: String
    }

    private static let levelsMax = 8
    private static let namesMax = 12

    private(set) var faults: [Fault] = []
    private let services: [ServiceSettings]
    /// Indices; those beyond `services` have no services of their own and are left out.
    private let children: [[Int]]

    init(_ services: [ServiceSettings]) {
        self.services = services
        children = services.map { service in
            guard case .services(let children) = service.targets else { return [] }
            return children.map(\.service).filter { $0 < services.count }
        }
        let order = childrenFirst()
        findTowers(order)
        findSharedCookies(order)
        findCircles(isFree: Set(order))
    }

    /// Services are taken away whose services are all taken away already; those that are left lead in a circle.
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

    /// Of a tower only the lowest service that is too high is named.
    private mutating func findTowers(_ order: [Int]) {
        var levels = Array(repeating: 0, count: services.count)
        for index in order where !children[index].isEmpty {
            levels[index] = 1 + (children[index].map { levels[$0] }.max() ?? 0)
            guard levels[index] == Self.levelsMax + 1 else { continue }
            faults.append(
                Fault(
                    service: index, message: "nests weighted services more than \(Self.levelsMax) levels deep"))
        }
    }

    /// A client has one cookie of a name: of two levels, each would overwrite the other's.
    private mutating func findSharedCookies(_ order: [Int]) {
        var names: [Set<String>] = Array(repeating: [], count: services.count)
        for index in order {
            for child in children[index] { names[index].formUnion(names[child]) }
            guard let name = services[index].sticky?.cookie?.name else { continue }
            if !names[index].insert(name).inserted {
                faults.append(
                    Fault(
                        service: index,
                        message: "has the cookie \(name) of a service below it: give each level a name of its own"))
            }
        }
    }

    /// Each circle once, at the service of it that is first by name.
    private mutating func findCircles(isFree: Set<Int>) {
        var isSeen = Array(repeating: false, count: services.count)
        for start in services.indices where !isFree.contains(start) && !isSeen[start] {
            var path: [Int] = []
            var index = start
            while !isSeen[index] {
                isSeen[index] = true
                path.append(index)
                guard let next = children[index].first(where: { !isFree.contains($0) }) else { break }
                index = next
            }
            guard let begin = path.firstIndex(of: index) else { continue }
            var names = (path[begin...] + [index]).map { services[$0].name }
            if names.count > Self.namesMax { names.replaceSubrange(Self.namesMax - 1..<names.count - 1, with: ["…"]) }
            faults.append(
                Fault(service: index, message: "leads back to itself: \(names.joined(separator: " → "))"))
        }
    }
}
