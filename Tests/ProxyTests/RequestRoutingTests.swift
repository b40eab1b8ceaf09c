import HTTPWire
import Testing

@testable import Proxy

@Suite("The steps from a request's head to its service")
struct RequestRoutingTests {
    private static func own(_ middlewares: [Middleware] = [], hasService: Bool = true) throws -> LoopOfItsOwn {
        var options = ProxyHarness.Options()
        options.middlewares = middlewares
        options.hasService = hasService
        return try LoopOfItsOwn([Described(name: "app", backends: [.init("a", 1)])], options)
    }

    /// The steps, each as text, every password being right.
    private static func steps(_ request: String, _ own: LoopOfItsOwn) throws -> [String] {
        try own.withRequest(request) { view in
            var steps = RequestRouting()
            var told: [String] = []
            while told.count < 9 {
                switch steps.next(view, in: own.table) {
                case .answer(let answer): return told + ["\(answer.status) \(answer.cause.reason)"]
                case .service(let service): return told + ["service \(service.description.name)"]
                case .checkPassword(let credentials, let gate):
                    told.append("password")
                    steps.admit(credentials, gate)
                }
            }
            return told
        }
    }

    private static func get(_ path: String, _ fields: String = "") -> String {
        "GET \(path) HTTP/1.1\r\nHost: h\r\n\(fields)\r\n"
    }

    @Test("The path comes before the router, the router before its service")
    func order() throws {
        let own = try Self.own()
        try #expect(Self.steps(Self.get("/../x"), own) == ["400 dotSegment"])
        try #expect(Self.steps(Self.get("/x"), own) == ["service app"])
        try #expect(Self.steps(Self.get("/x"), Self.own(hasService: false)) == ["503 noService"])
    }

    @Test("Middlewares are passed in their order, until one answers")
    func middlewares() throws {
        let redirect = Middleware.redirectScheme(SchemeRedirect(scheme: .https, port: nil, isPermanent: false))
        let strip = Middleware.stripPrefix(["/pub"])
        try #expect(Self.steps(Self.get("/pub/x"), Self.own([strip, redirect])) == ["302 redirected"])
        try #expect(Self.steps(Self.get("/pub/x"), Self.own([strip])) == ["service app"])
        try #expect(Self.steps(Self.get("/pub../x"), Self.own([strip, redirect])) == ["400 dotSegment"])
    }

    @Test("What a middleware made of a request is traced for explanations alone")
    func trace() throws {
        let own = try Self.own([.stripPrefix(["/pub"]), .addPrefix("/in")])
        try own.withRequest(Self.get("/pub/x")) { view in
            var steps = RequestRouting()
            _ = steps.next(view, in: own.table)
            #expect(steps.trace == nil && steps.router?.name == "app")
            var traced = RequestRouting()
            traced.trace = []
            _ = traced.next(view, in: own.table)
            #expect(traced.trace == [.path("/x"), .path("/in/x")])
        }
    }
}
