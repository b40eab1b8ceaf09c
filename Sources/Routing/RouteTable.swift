/// Which requests a router takes.
package struct Router: Equatable, Sendable {
    /// Decides between routers of one priority: the lower one in byte order is asked first.
    package var name: String
    package var rule: Rule
    /// The higher one is asked first. Nil: the rule's own, its length.
    package var priority: Int?
    /// The indices of the entry points it listens on.
    package var entryPoints: Set<Int>

    package init(name: String, rule: Rule, priority: Int? = nil, entryPoints: Set<Int>) {
        self.name = name
        self.rule = rule
        self.priority = priority
        self.entryPoints = entryPoints
    }

    func precedes(_ other: Router) -> Bool {
        let (own, others) = (priority ?? rule.defaultPriority, other.priority ?? other.rule.defaultPriority)
        return own != others ? own > others : name.utf8.lexicographicallyPrecedes(other.name.utf8)
    }
}

/// Says which router handles a request: the first whose rule holds, by priority, then by name.
package struct RouteTable: Sendable {
    private struct Entry: Sendable {
        let start: RuleProgram.Step
        let router: Int
    }

    private var program = RuleProgram()
    /// By entry point, in the order of asking.
    private var entries: [[Entry]] = []

    package init(_ routers: [Router]) {
        let entryPointCount = routers.flatMap(\.entryPoints).reduce(0) { max($0, $1 + 1) }
        entries = Array(repeating: [], count: entryPointCount)
        for (index, router) in routers.enumerated().sorted(by: { $0.element.precedes($1.element) }) {
            let entry = Entry(start: program.append(router.rule.expression), router: index)
            for entryPoint in router.entryPoints where entryPoint >= 0 {
                entries[entryPoint].append(entry)
            }
        }
    }

    /// The index of the router among those given to `init`; nil where none takes the request. Allocates nothing.
    ///
    /// - Parameter entryPoint: the index of the entry point that the request came in by.
    package func match(_ request: some RoutableRequest, entryPoint: Int) -> Int? {
        guard entries.indices.contains(entryPoint) else { return nil }
        let host = HostName.canonical(request.host)
        for entry in entries[entryPoint] where program.accepts(request, host: host, from: entry.start) {
            return entry.router
        }
        return nil
    }
}
