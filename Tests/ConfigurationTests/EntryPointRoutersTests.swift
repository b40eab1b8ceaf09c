import Proxy
import Routing
import Testing

@testable import Configuration

@Suite("What entry points give to their routers")
struct EntryPointRoutersTests {
    private func routers(_ entryPoints: String, _ routers: String) throws -> [RouterSettings] {
        let yaml = """
            entryPoints: { \(entryPoints) }
            http:
              routers: { \(routers) }
              middlewares:
                first: { addPrefix: { prefix: /first } }
                second: { addPrefix: { prefix: /second } }
                own: { addPrefix: { prefix: /own } }
              services: { s: { loadBalancer: { servers: [{ url: "http://a" }] } } }

            """
        return try ConfigurationFile(yaml: yaml, file: "f", process: .current).configuration.http.routers
    }

    @Test("middlewares come before those of each router, and each entry point has its own")
    func middlewares() throws {
        let entryPoints = """
            a: { address: ":1", http: { middlewares: [first, second@file] } }, b: { address: ":2" },
            c: { address: ":3", http: { middlewares: [second] } }
            """
        let found = try routers(
            entryPoints,
            "all: { rule: Path(`/`), service: s, middlewares: [own] }, "
                + "one: { rule: Path(`/`), service: s, entryPoints: [a] }")
        #expect(found.map(\.name) == ["a-all", "b-all", "c-all", "one"])
        #expect(
            found.map(\.middlewares) == [
                [.addPrefix("/first"), .addPrefix("/second"), .addPrefix("/own")], [.addPrefix("/own")],
                [.addPrefix("/second"), .addPrefix("/own")], [.addPrefix("/first"), .addPrefix("/second")],
            ])
        #expect(found.map(\.router.entryPoints) == [[0], [1], [2], [0]])
    }

    @Test("without one that is a default, routers that name none are at all; with some, at those")
    func defaults() throws {
        let router = "all: { rule: Path(`/`), service: s }, named: { rule: Path(`/`), service: s, entryPoints: [b] }"
        let none = try routers("a: { address: \":1\" }, b: { address: \":2\", asDefault: false }", router)
        #expect(none.map(\.router.entryPoints) == [[0, 1], [1]])
        let some = try routers(
            "a: { address: \":1\", asDefault: true }, b: { address: \":2\" }, c: { address: \":3\", asDefault: true }",
            router)
        #expect(some.map(\.router.entryPoints) == [[0, 2], [1]])
    }
}
