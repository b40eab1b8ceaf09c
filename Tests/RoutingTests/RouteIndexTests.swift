import Testing

@testable import Routing

@Suite("The index of the route table")
struct RouteIndexTests {
    /// The same numbers for the same seed, on every machine.
    private struct Chance {
        var state: UInt64

        mutating func below(_ limit: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int((state >> 33) % UInt64(limit))
        }

        mutating func one<Element>(of elements: [Element]) -> Element { elements[below(elements.count)] }
    }

    private static let hosts = [
        "a.example", "b.example", "A.B.example", "example", "a.example.", "x.y", "::1", ".example",
    ]
    private static let paths = [
        "/", "/a", "/a/b", "/a/b/c", "/ab", "/a%2Fb", "/ä", "/a b", "/b", "/a/b/c/d/e/f/g/h/i/j",
    ]

    private static func matcher(_ chance: inout Chance) -> String {
        switch chance.below(10) {
        case 0...2: "Host(`\(chance.one(of: hosts))`)"
        case 3: "Host(`\(chance.one(of: ["*", "*.example", "*.b.example", "*.y"]))`)"
        case 4: "Path(`\(chance.one(of: paths))`)"
        case 5, 6: "PathPrefix(`\(chance.one(of: paths))`)"
        case 7: "Method(`\(chance.one(of: ["GET", "PUT"]))`)"
        case 8: chance.one(of: ["HostRegexp(`^a`)", "PathRegexp(`b`)", "QueryRegexp(`q`, `1`)"])
        default: "Query(`q`, `1`)"
        }
    }

    private static func rule(_ chance: inout Chance, depth: Int) -> String {
        guard depth > 0, chance.below(3) > 0 else { return matcher(&chance) }
        let operands = (0...chance.below(3)).map { _ in rule(&chance, depth: depth - 1) }
        let joined = "(" + operands.joined(separator: chance.one(of: [" && ", " && ", " || "])) + ")"
        return chance.below(6) == 0 ? "!" + joined : joined
    }

    private static func request(_ chance: inout Chance) -> RequestSample {
        let hosts = hosts + ["", "A.example:80", "c.example", "a.b.example", "b.example.:1", "[::1]:80", "z.a.example"]
        let paths =
            paths.map { $0.replacing("ä", with: "%C3%A4").replacing(" ", with: "%20") } + ["*", "/a%2fb", "/%61"]
        let query = chance.one(of: ["", "?q=1", "?q=2"])
        return RequestSample(
            chance.one(of: paths) + chance.one(of: ["", "", "/", "x"]) + query, method: chance.one(of: ["GET", "PUT"]),
            host: chance.one(of: hosts))
    }

    @Test(
        "of a thousand routers asks none but those that can hold",
        arguments: [
            ("Host(`shop#.example.com`) && PathPrefix(`/api/v1`)", "Shop777.example.com:8443", "/api/v1/items"),
            ("PathPrefix(`/tenants/t#/`)", "shop.example.com", "/tenants/t777/items"),
            ("Host(`shop.example.com`) && Path(`/tenants/t#`)", "shop.example.com", "/tenants/t777"),
            ("Host(`*.shop#.example.com`) && PathRegexp(`^/[a-z]+`)", "eu.shop777.example.com", "/api"),
        ])
    func candidates(_ rule: String, _ host: String, _ path: String) throws {
        let rules = try (0..<1000).map { try Rule(rule.replacing("#", with: "\($0)")) }
        let index = RouteIndex(rules.enumerated().map { (rank: $0.offset, rule: $0.element.expression) })
        let request = RequestSample(path, host: host)
        let asked = withUnsafeTemporaryAllocation(of: RouteCandidates.Cursor.self, capacity: RouteIndex.listMax) {
            var candidates = RouteCandidates(index, for: RequestFacts(request), in: $0)
            var asked: [Int] = []
            while let candidate = candidates.next() { asked.append(candidate) }
            return asked
        }
        // A path that begins like the wanted one is looked at, too.
        #expect(asked.contains(777) && asked.count <= 3, "\(asked)")
    }

    private static func first(_ routers: [Router], taking request: RequestSample, entryPoint: Int) -> String? {
        let ordered = routers.sorted { left, right in
            let (own, other) = (
                left.priority ?? left.rule.defaultPriority, right.priority ?? right.rule.defaultPriority
            )
            return own != other ? own > other : left.name.utf8.lexicographicallyPrecedes(right.name.utf8)
        }
        return ordered.first { $0.entryPoints.contains(entryPoint) && $0.rule.matches(request) }?.name
    }

    @Test("finds the router that asking all of them in order would find", arguments: 0..<60)
    func equalsScan(_ seed: Int) throws {
        var chance = Chance(state: UInt64(seed))
        let routers = try (0..<(1 + chance.below(40))).map { index in
            Router(
                name: "r\(index)", rule: try Rule(Self.rule(&chance, depth: 3)),
                priority: chance.below(3) == 0 ? chance.below(5) - 2 : nil,
                entryPoints: chance.one(of: [[0], [1], [0, 1]]))
        }
        let table = RouteTable(routers)
        let scratch = MatchScratch()
        var taken = 0
        for _ in 0..<100 {
            let request = Self.request(&chance)
            let entryPoint = chance.below(2)
            let found = table.match(request, entryPoint: entryPoint, scratch: scratch).map { routers[$0].name }
            #expect(found == Self.first(routers, taking: request, entryPoint: entryPoint))
            #expect(found == table.explain(request, entryPoint: entryPoint).winner?.name)
            taken += found == nil ? 0 : 1
        }
        #expect(taken > 0)
    }

    @Test("keeps the order among thousands of routers for hosts, paths, both and neither")
    func large() throws {
        let scratch = MatchScratch()
        var routers: [Router] = []
        for index in 0..<2000 {
            let name = "r\(index)"
            let rules = [
                "Host(`h\(index).example`) && PathPrefix(`/api`)", "PathPrefix(`/p\(index)/`)",
                "Host(`h\(index).example`)", "Host(`*.h\(index).example`) || Host(`h\(index).test`)",
            ]
            routers.append(Router(name: name, rule: try Rule(rules[index % 4]), entryPoints: [0]))
        }
        routers.append(Router(name: "last", rule: try Rule("PathPrefix(`/`)"), priority: -5, entryPoints: [0]))
        routers.append(
            Router(name: "first", rule: try Rule("Header(`x-first`, `1`)"), priority: .max - 1000, entryPoints: [0]))
        let table = RouteTable(routers)
        func find(_ target: String, _ host: String, _ fields: [(String, String)] = []) -> String? {
            table.match(RequestSample(target, host: host, fields: fields), entryPoint: 0, scratch: scratch)
                .map { routers[$0].name }
        }
        #expect(find("/api/x", "h400.example") == "r400")
        #expect(find("/x", "h400.example") == "last")
        #expect(find("/x", "h402.example") == "r402")
        // Rules of one length: the name decides.
        #expect(find("/p401/x", "h402.example") == "r401")
        #expect(find("/p401/x", "h400.example") == "r401")
        #expect(find("/", "a.h403.example") == "r403")
        #expect(find("/", "h403.test:80") == "r403")
        #expect(find("/", "a.b.h403.example") == "last")
        #expect(find("/p401/x", "h402.example", [("X-First", "1")]) == "first")
    }

    @Test("holds keys within keys, long ones and many for one rule")
    func extremes() throws {
        let scratch = MatchScratch()
        let long = String(repeating: "a", count: 1000)
        var rules = (1...200).map { "PathPrefix(`/\(String(repeating: "n", count: $0))`)" }
        rules.append("Path(`/\(long)`)")
        rules.append("Host(`\(long)`) && Path(`/x`)")
        rules.append((0..<1000).map { "Host(`m\($0)`) && Path(`/m\($0)`)" }.joined(separator: " || "))
        let routers = try rules.enumerated().map { index, rule in
            Router(name: "r\(index)", rule: try Rule(rule), entryPoints: [0])
        }
        let table = RouteTable(routers)
        func find(_ target: String, _ host: String = "") -> Int? {
            table.match(RequestSample(target, host: host), entryPoint: 0, scratch: scratch)
        }
        for count in 1...200 { #expect(find("/" + String(repeating: "n", count: count) + "/") == count - 1) }
        #expect(find("/\(long)") == 200)
        #expect(find("/\(long)a") == nil)
        #expect(find("/x", long) == 201)
        #expect(find("/x", long + "a") == nil)
        #expect(find("/m999", "m999") == 202)
        #expect(find("/m998", "m999") == nil)
    }
}
