/// A rule, with the entry points and the priority under which it takes requests.
package struct Router: Equatable, Sendable {
    /// Breaks ties between routers of the same priority: the lower name in byte order is evaluated first.
    package var name: String
    package var rule: Rule
    /// The router with the higher priority is evaluated first. Nil means the rule's default, its length.
    package var priority: Int?
    /// The indices of its entry points.
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

/// Decides which router handles a request: the first whose rule holds, by priority, then by name.
///
/// Immutable. A class, so that a request retains one reference instead of one for each of its parts.
package final class RouteTable: Sendable {
    private struct Entry: Sendable {
        let start: RuleProgram.Step
        /// Index among the routers passed to `init`.
        let router: Int
    }

    private let program: RuleProgram
    /// In the order of evaluation.
    private let entries: [Entry]
    /// By entry point. Their ranks are indices into `entries`.
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

    /// The index of the router among those passed to `init`. Nil if no router takes the request. Allocates nothing.
    ///
    /// - Parameters:
    ///   - entryPoint: the index of the entry point that received the request.
    ///   - scratch: the event loop's own. It counts the patterns that exceeded a limit.
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

    /// The result of each router of an entry point for a request, in the order of evaluation, including those after the
    /// first that takes it. Counts nothing. Not for the data plane: it evaluates all routers, one by one.
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
