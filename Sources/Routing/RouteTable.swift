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

    var rank: Int { priority ?? rule.defaultPriority }

    func precedes(_ other: Router) -> Bool {
        rank != other.rank ? rank > other.rank : name.utf8.lexicographicallyPrecedes(other.name.utf8)
    }
}

/// Says which router handles a request: the first whose rule holds, by priority, then by name.
///
/// Immutable. A class, so that a request that looks into it counts one reference and not one for each of its parts.
package final class RouteTable: Sendable {
    private struct Entry: Sendable {
        let start: RuleProgram.Step
        /// Among those given to `init`.
        let router: Int
    }

    private let program: RuleProgram
    /// In the order of asking.
    private let entries: [Entry]
    /// By entry point; they name places in `entries`.
    private let indices: [RouteIndex]
    private let routers: [Router]

    package init(_ routers: [Router]) {
        var program = RuleProgram()
        var entries: [Entry] = []
        for (index, router) in routers.enumerated().sorted(by: { $0.element.precedes($1.element) }) {
            entries.append(Entry(start: program.append(router.rule.expression), router: index))
        }
        self.routers = routers
        self.program = program
        self.entries = entries
        let entryPointCount = routers.flatMap(\.entryPoints).reduce(0) { max($0, $1 + 1) }
        indices = (0..<entryPointCount).map { [entries] entryPoint in
            RouteIndex(
                entries.enumerated().lazy.filter { routers[$0.element.router].entryPoints.contains(entryPoint) }
                    .map { (rank: $0.offset, rule: routers[$0.element.router].rule.expression) })
        }
    }

    /// The index of the router among those given to `init`; nil where none takes the request. Allocates nothing.
    ///
    /// - Parameters:
    ///   - entryPoint: the index of the entry point that the request came in by.
    ///   - scratch: the event loop's own; it counts the patterns that went over a limit.
    package func match(_ request: some RoutableRequest, entryPoint: Int, scratch: MatchScratch) -> Int? {
        guard indices.indices.contains(entryPoint) else { return nil }
        scratch.beginRequest()
        let facts = RequestFacts(request)
        let count = RouteIndex.listMax
        return withUnsafeTemporaryAllocation(of: RouteCandidates.Cursor.self, capacity: count) { cursors in
            var candidates = RouteCandidates(indices[entryPoint], for: facts, in: cursors)
            while let place = candidates.next() {
                let entry = entries[place]
                if program.accepts(request, facts, from: entry.start, scratch) { return entry.router }
            }
            return nil
        }
    }

    /// What each router of an entry point says to a request, in the order of asking, those after the first that takes
    /// it included. Counts nothing, and is not for the data plane: it asks all of them, one by one.
    package func explain(_ request: some RoutableRequest, entryPoint: Int) -> RouteExplanation {
        let scratch = MatchScratch()
        let considered = entries.compactMap { entry -> RouteExplanation.ConsideredRouter? in
            let router = routers[entry.router]
            guard router.entryPoints.contains(entryPoint) else { return nil }
            var matchers: [RouteExplanation.EvaluatedMatcher] = []
            scratch.beginRequest()
            let takes = program.trace(request, from: entry.start, scratch) { place, holds in
                matchers.append(RouteExplanation.EvaluatedMatcher(of: router.rule, at: place, holds: holds))
            }
            return RouteExplanation.ConsideredRouter(
                index: entry.router, name: router.name, priority: router.rank, takes: takes, matchers: matchers)
        }
        return RouteExplanation(routers: considered)
    }
}
