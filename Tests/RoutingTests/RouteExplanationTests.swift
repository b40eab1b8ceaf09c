import Routing
import Testing

@Suite("The explanation of a route")
struct RouteExplanationTests {
    private static func table() throws -> RouteTable {
        RouteTable([
            Router(name: "all", rule: try Rule("PathPrefix(`/`)"), entryPoints: [0]),
            Router(
                name: "shop", rule: try Rule("Host(`a`) && (Path(`/x`) || !Method(`GET`))"), priority: 100,
                entryPoints: [0]),
            Router(name: "loop", rule: try Rule("!PathRegexp(`^/(a+)+$`)"), priority: 50, entryPoints: [0]),
            Router(name: "other", rule: try Rule("PathPrefix(`/`)"), entryPoints: [1]),
        ])
    }

    /// The text of each matcher that was asked, with what came of it.
    private static func texts(_ router: RouteExplanation.ConsideredRouter) -> [String] {
        router.matchers.map { "\($0.text) \($0.holds.map { $0 ? "yes" : "no" } ?? "over")" }
    }

    @Test("has every router of the entry point in the order of asking, with its priority")
    func order() throws {
        let explanation = try Self.table().explain(RequestSample("/y", host: "b"), entryPoint: 0)
        #expect(explanation.routers.map(\.name) == ["shop", "loop", "all"])
        #expect(explanation.routers.map(\.priority) == [100, 50, 15])
        #expect(explanation.routers.map(\.index) == [1, 2, 0])
        #expect(explanation.routers.map(\.takes) == [false, true, true])
        #expect(explanation.winner?.name == "loop")
    }

    @Test("names the matcher that decided, and where it stands in the rule")
    func decision() throws {
        let table = try Self.table()
        let other = try #require(table.explain(RequestSample("/y", host: "b"), entryPoint: 0).routers.first)
        #expect(Self.texts(other) == ["Host(`a`) no"])
        #expect(other.decidedBy?.offset == 0)
        #expect(other.decidedBy?.length == 9)
        let path = try #require(table.explain(RequestSample("/y", host: "a"), entryPoint: 0).routers.first)
        #expect(Self.texts(path) == ["Host(`a`) yes", "Path(`/x`) no", "Method(`GET`) yes"])
        #expect(!path.takes)
        #expect(path.decidedBy?.offset == 29)
        #expect(path.decidedBy?.length == 13)
    }

    @Test("says which matchers of the winner held")
    func winner() throws {
        let explanation = try Self.table().explain(RequestSample("/x", host: "a"), entryPoint: 0)
        let winner = try #require(explanation.winner)
        #expect(winner.name == "shop")
        #expect(Self.texts(winner) == ["Host(`a`) yes", "Path(`/x`) yes"])
    }

    @Test("says where a pattern went over its limit, and goes on")
    func overLimit() throws {
        let request = RequestSample("/" + String(repeating: "a", count: 40) + "!")
        let explanation = try Self.table().explain(request, entryPoint: 0)
        #expect(Self.texts(explanation.routers[1]) == ["PathRegexp(`^/(a+)+$`) over"])
        #expect(!explanation.routers[1].takes)
        #expect(explanation.winner?.name == "all")
    }

    @Test("is empty where the entry point has no router")
    func none() throws {
        #expect(try Self.table().explain(RequestSample(), entryPoint: 2).routers.isEmpty)
        #expect(try Self.table().explain(RequestSample(), entryPoint: 2).winner == nil)
    }
}
