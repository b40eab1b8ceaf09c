import Affinity
import HTTPWire

/// The steps of a request from its head to its service, in order: path, Max-Forwards, router, middlewares.
/// Used for both served requests and explanations.
struct RequestRouting {
    enum Step {
        /// Limpet responds itself.
        case answer(LocalResponse)
        /// A password must be checked. If it is correct, call `admit` and then `next`.
        case checkPassword(BasicCredentials, BasicAuthGate)
        /// The request has reached its service. Look up its session with that service.
        case service(ServiceRuntime)
    }

    /// Nil until a router has been found.
    private(set) var router: RouterPlan?
    /// Nil if the router has no middlewares.
    private(set) var middlewares: MiddlewareRun?
    /// The effect of each middleware on the request. Recorded only if it is not nil, for explanations.
    var trace: [RequestExplanation.Passage]?
    private var service: ServiceRuntime?

    /// The next step. Call it for the first step, and again after `admit`.
    mutating func next(_ request: RequestView, in table: ServiceTable) -> Step {
        if let service { return runMiddlewares(request, to: service) }
        if DotSegments.occur(in: UnsafeRawBufferPointer(rebasing: request.bytes[request.head.path])) {
            return .answer(LocalResponse(.dotSegment))
        }
        if let answer = MaxForwards.answer(request) { return .answer(answer) }
        if let answer = request.refusal(by: table.snapshot.tls) { return .answer(answer) }
        guard let router = table.router(of: request) else { return .answer(LocalResponse(.noRoute)) }
        self.router = router
        guard let service = table.service(of: router) else { return .answer(router.answerWithoutService(request)) }
        guard let chain = router.middlewares else { return .service(service) }
        self.service = service
        middlewares = MiddlewareRun(chain)
        return runMiddlewares(request, to: service)
    }

    /// The password that the last step asked to check is correct.
    func admit(_ credentials: BasicCredentials, _ gate: BasicAuthGate) {
        middlewares?.admit(credentials, gate)
    }

    private mutating func runMiddlewares(_ request: RequestView, to service: ServiceRuntime) -> Step {
        guard let middlewares else { return .service(service) }
        while let step = middlewares.upcoming, let outcome = middlewares.next(request) {
            trace?.append(Self.passage(step, outcome, middlewares, request))
            switch outcome {
            case .goOn: break
            case .answer(let answer): return .answer(answer)
            case .dotSegment: return .answer(LocalResponse(.dotSegment))
            case .checkPassword(let credentials, let gate): return .checkPassword(credentials, gate)
            }
        }
        return .service(service)
    }

    private static func passage(
        _ step: MiddlewareChain.Step, _ outcome: MiddlewareRun.Outcome, _ run: MiddlewareRun, _ request: RequestView
    ) -> RequestExplanation.Passage {
        switch (step, outcome) {
        case (_, .answer): .answered
        case (.headers, _), (.passTLSClientCert, _): .headers
        case (.stripPrefix, _), (.addPrefix, _):
            .path(run.withPath(request) { String(decoding: $0, as: UTF8.self) })
        case (.basicAuth, _): .credentials
        case (.redirectScheme, _), (.ipAllowList, _): .allowed
        case (.retry, _): .retried
        }
    }
}
