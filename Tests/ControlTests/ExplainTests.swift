import Affinity
import Configuration
import Foundation
import Proxy
import Testing

@testable import Control

@Suite("explain says where a request would go, and why")
struct ExplainTests {
    private static let shop = """
        entryPoints: { web: { address: ":8000" }, intern: { address: ":9000" } }
        fleet: { secret: "0123456789abcdef0123" }
        http:
          routers:
            api: { rule: "Host(`api.example`)", service: shop, middlewares: [strip], entryPoints: [web] }
            admin: { rule: "PathPrefix(`/admin`) && !ClientIP(`10.0.0.0/8`)", service: shop, middlewares: [auth, near] }
            old: { rule: "Path(`/old`)", service: shop, middlewares: [secure] }
            deep: { rule: "PathPrefix(`/deep`)", service: both }
            turns: { rule: "PathPrefix(`/turns`)", service: turns }
            pair: { rule: "PathPrefix(`/pair`)", service: pair }
            gone: { rule: "Path(`/gone`)", service: gone@docker }
            empty: { rule: "Path(`/empty`)", service: empty }
            shop: { rule: "Host(`shop.example`)", service: shop }
          middlewares:
            strip: { stripPrefix: { prefixes: [/v1] } }
            secure: { redirectScheme: { scheme: https } }
            near: { ipAllowList: { sourceRange: [192.0.2.0/24] } }
            auth: { basicAuth: { users: ["u:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g="] } }
          services:
            both: { weighted: { services: [ { name: shop, weight: 3 }, { name: turns } ], sticky: { header: X-Level } } }
            pair: { failover: { service: turns, fallback: shop, errors: { status: [503] } } }
            empty: { loadBalancer: { servers: [] } }
            turns: { loadBalancer: { servers: [ { url: "http://127.0.0.1:9004" }, { url: "http://127.0.0.1:9005" } ] } }
            shop:
              loadBalancer:
                sticky: { cookie: { name: shop_sid }, header: X-Session-ID }
                servers:
                  - { url: "http://127.0.0.1:9001", name: web-1 }
                  - { url: "http://127.0.0.1:9002", name: web-2 }
                  - { url: "http://127.0.0.1:9003", name: web-3, draining: true }
        """

    private func explain(
        _ url: String, _ fields: [String] = [], method: String = "GET", client: String = "192.0.2.7",
        entryPoint: String? = nil
    ) async throws -> Explanation {
        let configuration = try ReplicaConfiguration.read(Self.shop, file: "shop.yml")
        let request = try ExplainedRequest(method: method, url: url, fields: fields, client: client)
        return try await Explainer(configuration).explain(request, entryPoint: entryPoint)
    }

    @Test("the router that takes it, those before it with the matcher that decided, and what middlewares do")
    func routing() async throws {
        let explanation = try await explain("http://api.example/v1/cart?id=1", ["X-Session-ID: 42"])
        #expect(explanation.router?.name == "api" && explanation.router?.origin == "shop.yml:5")
        #expect(explanation.router?.because == ["Host(`api.example`)"])
        let admin = try #require(explanation.passedOver.first { $0.name == "admin" })
        #expect(admin.because == ["PathPrefix(`/admin`) does not match"])
        #expect(explanation.middlewares.map(\.effect) == ["changes the path to /cart"])
        #expect(explanation.status == nil && explanation.isServed)
    }

    @Test(
        "the session key, its fingerprint and the order, which is the same each time; draining servers take no new ones"
    )
    func order() async throws {
        let (first, second) = (
            try await explain("http://shop.example/", ["X-Session-ID: 42"]),
            try await explain("http://shop.example/elsewhere", ["X-Session-ID: 42", "Cookie: shop_sid=x"])
        )
        let level = try #require(first.levels.first)
        #expect(level.source == "header X-Session-ID" && level.fingerprint?.utf8.count == 32)
        #expect(second.levels == first.levels)
        #expect(Set(level.order.map(\.name)) == ["web-1", "web-2", "web-3"])
        #expect(level.order.filter { !$0.takesNewSessions }.map(\.name) == ["web-3"])
        #expect(level.choice == level.order.first { $0.takesNewSessions }?.name)
        let other = try await explain("http://shop.example/", ["X-Session-ID: 43"])
        #expect(other.levels.first?.fingerprint != level.fingerprint)
    }

    @Test("a request without a session key begins a session, and where it goes is chance")
    func begins() async throws {
        let level = try #require(try await explain("http://shop.example/").levels.first)
        #expect(level.begins && level.source == nil && level.fingerprint == nil && level.choice == nil)
        let text = ExplanationText(try await explain("http://shop.example/")).description
        #expect(text.contains("session    none yet: the response's cookie starts one\n"))
    }

    @Test("a session key that nobody knows begins where our cookie beside it says")
    func proposal() async throws {
        let configuration = try ReplicaConfiguration.read(Self.shop, file: "shop.yml")
        let keys = FleetKeys(configuration.fleet)
        let snapshot = try Snapshot(configuration, keys: keys)
        let shop = try #require(snapshot.services.first { $0.name == "shop" })
        let now = UInt32(Date().timeIntervalSince1970)
        for backend in shop.membership.backends {
            let hint = Hint(binding: Binding(backend: backend.hash, epoch: 3), createdAtSeconds: now, issued: now)
            let cookie = AffinityCookieSealer(keys: keys.cookies, service: "shop").seal(
                .init(high: 1, low: 2), hint, random: (3, 4))
            let fields = ["X-Session-ID: 42", "Cookie: shop_sid=\(String(decoding: cookie, as: UTF8.self))"]
            let explanation = try await explain("http://shop.example/", fields)
            #expect(explanation.levels[0].proposal == backend.name && explanation.levels[0].choice == backend.name)
            let text = ExplanationText(explanation).description
            #expect(
                text.contains("\n           a cookie proposes \(backend.name) if the session is unknown\n"), "\(text)"
            )
            #expect(text.contains("answer     from \(backend.name) "), "\(text)")
        }
    }

    @Test("a weighted service is followed into the service that it would choose")
    func weighted() async throws {
        let explanation = try await explain("http://x.example/deep", ["X-Level: 7", "X-Session-ID: 42"])
        let (outer, inner) = (explanation.levels[0], explanation.levels[1])
        #expect(outer.service == "both" && Set(outer.order.map(\.name)) == ["shop", "turns"])
        #expect(inner.service == outer.choice)
        #expect(explanation.levels.count == 2)
        let lines = ExplanationText(explanation).description.split(separator: "\n")
        #expect(lines.allSatisfy { $0.last != " " })
    }

    @Test("a failover is followed into its main service, and ends at the fallback while the main one is down")
    func failover() async throws {
        var explanation = try await explain("http://x.example/pair")
        #expect(explanation.levels.map(\.service) == ["pair", "turns"])
        var text = ExplanationText(explanation).description
        #expect(text.contains("service    pair, the first service takes the requests; without it, the second\n"))
        #expect(text.contains("answer     from any of turns's servers: in turn, by weight\n"), "\(text)")
        explanation.levels[0].live = Explanation.Live(session: nil, down: ["turns"])
        explanation.levels[1].live = Explanation.Live(session: nil, down: explanation.levels[1].order.map(\.name))
        explanation.weighLevels()
        text = ExplanationText(explanation).description
        #expect(text.contains("answer     from shop, because no server of turns is up\n"), "\(text)")
    }

    @Test(
        "what Limpet answers by itself",
        arguments: [
            ("http://x.example/nowhere", [], 404, "no router matches"),
            ("http://x.example/shop/%2E%2e/admin", [], 400, "the path contains a . or .. segment"),
            ("http://x.example/gone", [], 503, "the router uses a service or middleware that is not defined"),
            ("http://x.example/empty", [], 503, "the service has no servers"),
            ("http://x.example/old", [], 302, "redirect to https://x.example/old"),
            ("http://x.example/admin", [], 401, "a middleware answers"),
            (
                "http://shop.example/", ["Content-Length: 1", "Content-Length: 2"], 400,
                "more than one Content-Length header"
            ),
        ])
    func ownAnswers(_ url: String, _ fields: [String], _ status: Int, _ reason: String) async throws {
        let explanation = try await explain(url, fields)
        #expect(explanation.status == status && explanation.reason == reason && !explanation.isServed)
        #expect(ExplanationText(explanation).description.contains("answer     \(status) from Limpet: \(reason)\n"))
    }

    @Test("addresses and passwords are met as they would be")
    func middlewares() async throws {
        let near = try await explain("http://x.example/admin", ["Authorization: Basic dTpw"])
        #expect(near.status == nil && near.middlewares.map(\.kind) == ["basicAuth", "ipAllowList"])
        let far = try await explain("http://x.example/admin", ["Authorization: Basic dTpw"], client: "198.51.100.1")
        #expect(far.status == 403)
        let intern = try await explain("http://x.example:8000/admin", client: "10.1.2.3")
        #expect(intern.status == 404)
        #expect(intern.passedOver.first { $0.name == "admin" }?.because == ["ClientIP(`10.0.0.0/8`) holds"])
    }

    @Test("a host may end with a dot, as in a request")
    func finalDot() async throws {
        #expect(try await explain("http://SHOP.example./", ["X-Session-ID: 42"]).router?.name == "shop")
    }

    @Test(
        "the entry point is the one at the URL's port, or the one that is named, or the first that has a router for it")
    func entryPoints() async throws {
        #expect(try await explain("http://api.example:8000/").router?.name == "api")
        let intern = try await explain("http://api.example:9000/")
        #expect(intern.entryPoint == "intern" && intern.status == 404)
        #expect(try await explain("http://api.example/").entryPoint == "web")
        #expect(try await explain("http://api.example/", entryPoint: "web").router?.name == "api")
        await #expect(throws: ExplanationDiagnostic.self) { try await explain("http://x/", entryPoint: "wep") }
    }

    /// Of a service with these servers, sticky or not.
    private func explain(servers: [String], isSticky: Bool, _ change: (inout Explanation) throws -> Void = { _ in })
        async throws -> Explanation
    {
        let list = servers.enumerated().map { "{ url: \"http://127.0.0.1:900\($0)\", name: \"s\($0)\", \($1) }" }
        let yaml = """
            fleet: { secret: "0123456789abcdef0123" }
            http:
              routers: { all: { rule: "PathPrefix(`/`)", service: app } }
              services:
                app:
                  loadBalancer:
                    \(isSticky ? "sticky: { header: X-Session-ID }" : "passHostHeader: true")
                    servers: [ \(list.joined(separator: ", ")) ]
            """
        let configuration = try ReplicaConfiguration.read(yaml, file: "f.yml")
        let request = try ExplainedRequest(
            method: "GET", url: "http://a/", fields: ["X-Session-ID: 42"], client: "127.0.0.1")
        var explanation = try await Explainer(configuration).explain(request)
        try change(&explanation)
        return explanation
    }

    @Test("a service that takes no new session answers by itself", arguments: [true, false], [1, 2])
    func weightZero(_ isSticky: Bool, _ count: Int) async throws {
        let servers = Array(repeating: "weight: 0", count: count)
        let explanation = try await explain(servers: servers, isSticky: isSticky)
        #expect(explanation.status == 503 && !explanation.isServed)
        let text = ExplanationText(explanation).description
        #expect(text.contains("answer     503 from Limpet: no server accepts new sessions\n"), "\(text)")
    }

    @Test("where all drain, a new session goes to the first of them that has a weight")
    func allDrain() async throws {
        let servers = ["draining: true", "draining: true, weight: 0", "draining: true"]
        let level = try #require(try await explain(servers: servers, isSticky: true).levels.first)
        #expect(level.choice == level.order.first { $0.weight > 0 }?.name && level.choice != nil)
        let only = try await explain(servers: ["draining: true", "weight: 0"], isSticky: false)
        #expect(only.isServed && only.levels.first?.choice == "s0")
    }

    @Test(
        "what a replica says of the session and the servers is the answer, for programs too",
        arguments: [
            ("cache", nil, [], 503), ("cache", "s1", ["s0"], nil), (nil, nil, ["s0", "s1"], 503),
            (nil, "s1", ["s0"], nil),
        ] as [(String?, String?, [String], Int?)])
    func liveStatus(_ source: String?, _ wouldGo: String?, _ down: [String], _ status: Int?) async throws {
        func json(_ text: String?) -> String { text.map { "\"\($0)\"" } ?? "null" }
        let view = """
            {"fingerprint":"00","service":"app","source":\(json(source)),"store":null,"kind":"confirmed",\
            "backend":"s0","epoch":4,"suspect":false,"wouldGo":\(json(wouldGo))}
            """
        for isKnown in [true, false] {
            let explanation = try await explain(servers: ["weight: 1", "weight: 1"], isSticky: true) {
                let session = try JSONDecoder().decode(SessionView.self, from: Data(view.utf8))
                $0.levels[0].live = Explanation.Live(session: isKnown ? session : nil, down: down)
                $0.weighLevels()
            }
            // Of a session that is not asked about it is known alone whether there is anybody.
            let expected = isKnown || down.count == 2 ? status : nil
            #expect(explanation.status == expected && explanation.isServed == (expected == nil))
            if expected != nil {
                let text = ExplanationText(explanation).description
                #expect(text.contains("answer     503 from Limpet: no server is available now\n"), "\(text)")
            }
        }
        let bound = try await explain(servers: ["weight: 0"], isSticky: true) {
            let kept = view.replacing("\"wouldGo\":\(json(wouldGo))", with: "\"wouldGo\":\"s0\"")
            let session = try JSONDecoder().decode(SessionView.self, from: Data(kept.utf8))
            $0.levels[0].live = Explanation.Live(session: session, down: [])
            $0.weighLevels()
        }
        #expect(bound.isServed)
    }

    @Test("the answer of a weighted service is that of the child that the session is bound to")
    func boundElsewhere() async throws {
        var explanation = try await explain("http://x.example/deep", ["X-Level: 7", "X-Session-ID: 42"])
        let (chosen, other) = (explanation.levels[0].choice, explanation.levels[0].order[1].name)
        #expect(chosen == explanation.levels[1].service && other != chosen)
        let view = """
            {"fingerprint":"00","service":"both","source":"cache","store":null,"kind":"confirmed",\
            "backend":"\(other)","epoch":1,"suspect":false,"wouldGo":"\(other)"}
            """
        let session = try JSONDecoder().decode(SessionView.self, from: Data(view.utf8))
        explanation.levels[0].live = Explanation.Live(session: session, down: [])
        explanation.levels[1].live = Explanation.Live(session: nil, down: explanation.levels[1].order.map(\.name))
        explanation.weighLevels()
        #expect(explanation.isServed)
        let text = ExplanationText(explanation).description
        #expect(text.contains("answer     from \(other)\n"), "\(text)")
    }

    @Test("a session that its cookie binds to a server that is down waits for it, where it must not go elsewhere")
    func hintedDown() async throws {
        for rejects in [true, false] {
            let explanation = try await explain(servers: ["weight: 1", "weight: 1"], isSticky: true) {
                $0.levels[0].rejects = rejects
                $0.levels[0].hint = Explanation.Hint(target: "s0", epoch: 1)
                $0.levels[0].live = Explanation.Live(session: nil, down: ["s0"])
                $0.weighLevels()
            }
            #expect(explanation.isServed == !rejects)
        }
    }

    /// What stands for people, a replica having said this of the session; nil for what is not known.
    private func live(
        _ source: String?, _ store: String?, kind: String? = nil, hint: Bool = false, down: [String] = [],
        url: String = "http://shop.example/"
    ) async throws -> String {
        func json(_ text: String?) -> String { text.map { "\"\($0)\"" } ?? "null" }
        let isKnown = source != nil
        let view = """
            {"fingerprint":"00","service":"shop","source":\(json(source)),"store":\(json(store)),"kind":\(json(kind)),\
            "backend":\(json(isKnown ? "web-1" : nil)),"epoch":\(isKnown ? "4" : "null"),\
            "suspect":\(source == "cache" ? "\(store != nil)" : "null"),"wouldGo":"web-1"}
            """
        var explanation = try await explain(url, ["X-Session-ID: 42"])
        let session = try JSONDecoder().decode(SessionView.self, from: Data(view.utf8))
        explanation.levels[0].live = Explanation.Live(session: session, down: down)
        if hint { explanation.levels[0].hint = Explanation.Hint(target: "web-2", epoch: 1) }
        return ExplanationText(explanation).description
    }

    @Test("what a replica and the store know of the session")
    func known() async throws {
        for (source, store, kind, words) in [
            ("cache", nil, "confirmed", "confirmed"), ("store", "asked", "confirmed", "according to the store"),
            ("cache", "asked", "confirmed", "confirmed earlier; the store knows nothing newer"),
            ("cache", "asked", "dirty", "decided without the store; the store knows nothing newer"),
            ("cache", "away", "guess", "guessed without the store; the store is unavailable"),
        ] {
            let text = try await live(source, store, kind: kind)
            #expect(text.contains("now        bound to web-1, epoch 4, \(words)\n"), "\(text)")
            #expect(text.contains("answer     from web-1 (http://127.0.0.1:9001)\n"), "\(text)")
        }
    }

    @Test("what becomes of a session that neither the replica nor the store knows")
    func unknown() async throws {
        let new = try await live(nil, "asked")
        #expect(new.contains("now        unknown to the replica and the store: a new session\n"), "\(new)")
        #expect(new.contains("answer     from web-1 (http://127.0.0.1:9001), where the session starts\n"), "\(new)")
        let away = try await live(nil, "away")
        #expect(away.contains("now        unknown to the replica; the store is unavailable\n"), "\(away)")
        #expect(
            away.contains("answer     from web-1 (http://127.0.0.1:9001) while the store is unavailable\n"), "\(away)")
        let cookie = try await live(nil, "asked", hint: true)
        #expect(cookie.contains("now        unknown to the replica and the store; the cookie decides\n"))
        #expect(cookie.contains("answer     from web-2 (http://127.0.0.1:9002)\n"), "\(cookie)")
        let down = try await live(nil, "asked", hint: true, down: ["web-2"])
        #expect(down.contains("answer     from web-1 (http://127.0.0.1:9001)\n"), "\(down)")
    }

    @Test("no session key and no cookie stands in what it says")
    func secrecy() async throws {
        let explanation = try await explain(
            "http://shop.example/", ["X-Session-ID: very-secret-key", "Cookie: shop_sid=another-secret"])
        for text in [ExplanationText(explanation).description, try explanation.json()] {
            #expect(!text.contains("secret"))
        }
    }

    @Test(
        "a request that cannot be one says what would be right",
        arguments: [
            ("shop.example", [], "127.0.0.1", "\"shop.example\" is not a valid URL: write http://host/path"),
            (
                "http://shop.example/", ["X-Session-ID"], "127.0.0.1",
                "\"X-Session-ID\" is not a header: write 'Name: value'"
            ),
            (
                "http://shop.example/", ["A: b\r\nC: d"], "127.0.0.1",
                "the method, the URL and the headers must not contain line breaks"
            ),
            ("http://shop.example/", [], "here", "\"here\" is not an IP address"),
            (
                "http://me:very-secret@shop.example/", [], "127.0.0.1",
                "the URL must not contain credentials: send them with --header 'Authorization: Basic …'"
            ),
        ])
    func usage(_ url: String, _ fields: [String], _ client: String, _ message: String) {
        #expect {
            _ = try ExplainedRequest(method: "GET", url: url, fields: fields, client: client)
        } throws: { error in
            "\(error)" == message
        }
    }
}
