import Routing
import Testing

@Suite("The route table")
struct RouteTableTests {
    private static func router(_ name: String, _ rule: String, priority: Int? = nil, on entryPoints: Set<Int> = [0])
        throws -> Router
    {
        Router(name: name, rule: try Rule(rule), priority: priority, entryPoints: entryPoints)
    }

    @Test("asks the longer rule first, whatever the order of the routers")
    func longerFirst() throws {
        let short = try Self.router("short", "PathPrefix(`/`)")
        let long = try Self.router("long", "PathPrefix(`/api`)")
        #expect(RouteTable([short, long]).match(RequestSample("/api/1"), entryPoint: 0, scratch: MatchScratch()) == 1)
        #expect(RouteTable([long, short]).match(RequestSample("/api/1"), entryPoint: 0, scratch: MatchScratch()) == 0)
        #expect(RouteTable([long, short]).match(RequestSample("/other"), entryPoint: 0, scratch: MatchScratch()) == 1)
    }

    @Test("lets a priority that is set override the length")
    func priorities() throws {
        let table = RouteTable([
            try Self.router("long", "PathPrefix(`/api`)"), try Self.router("first", "PathPrefix(`/`)", priority: 1000),
            try Self.router("last", "PathPrefix(`/api/v1`)", priority: -1),
        ])
        #expect(table.match(RequestSample("/api/v1"), entryPoint: 0, scratch: MatchScratch()) == 1)
    }

    @Test("breaks ties by name")
    func ties() throws {
        let b = try Self.router("b", "PathPrefix(`/`)")
        let a = try Self.router("a", "PathPrefix(`/`)")
        #expect(RouteTable([b, a]).match(RequestSample("/"), entryPoint: 0, scratch: MatchScratch()) == 1)
        #expect(RouteTable([a, b]).match(RequestSample("/"), entryPoint: 0, scratch: MatchScratch()) == 0)
    }

    @Test("keeps entry points apart")
    func entryPoints() throws {
        let table = RouteTable([
            try Self.router("both", "PathPrefix(`/`)", on: [0, 1]),
            try Self.router("one", "PathPrefix(`/one`)", on: [1]),
        ])
        #expect(table.match(RequestSample("/one"), entryPoint: 0, scratch: MatchScratch()) == 0)
        #expect(table.match(RequestSample("/one"), entryPoint: 1, scratch: MatchScratch()) == 1)
        #expect(table.match(RequestSample("/one"), entryPoint: 2, scratch: MatchScratch()) == nil)
        #expect(table.match(RequestSample("/one"), entryPoint: -1, scratch: MatchScratch()) == nil)
    }

    @Test("answers nil where no rule holds, and where there is none")
    func noRoute() throws {
        #expect(RouteTable([]).match(RequestSample("/"), entryPoint: 0, scratch: MatchScratch()) == nil)
        #expect(
            RouteTable([try Self.router("a", "Host(`a`)")]).match(
                RequestSample(host: "b"), entryPoint: 0, scratch: MatchScratch()) == nil)
    }
}

@Suite("Spelling")
struct SpellingTests {
    @Test("finds the nearest word, or none")
    func nearest() {
        let words = ["address", "forwardedHeaders", "url"]
        #expect(SpellingSuggestion.nearest(to: "adress", among: words) == "address")
        #expect(SpellingSuggestion.nearest(to: "ADDRESS", among: words) == "address")
        #expect(SpellingSuggestion.nearest(to: "forwardHeaders", among: words) == "forwardedHeaders")
        #expect(SpellingSuggestion.nearest(to: "ulr", among: words) == "url")
        #expect(SpellingSuggestion.nearest(to: "banana", among: words) == nil)
        #expect(SpellingSuggestion.nearest(to: "", among: words) == nil)
    }

    @Test("takes no time for words that are no words")
    func longWords() {
        let long = String(repeating: "a", count: 20_000)
        let spent = ContinuousClock().measure {
            for _ in 0..<200 {
                #expect(SpellingSuggestion.nearest(to: long, among: ["address", "url"]) == nil)
                #expect(SpellingSuggestion.nearest(to: long, among: [long + "b"]) == nil)
            }
        }
        #expect(spent < .seconds(2))
    }
}
