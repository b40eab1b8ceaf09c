import Affinity
import Configuration
import HTTPWire
import Proxy
import Routing

extension Explanation {
    init(
        _ explained: RequestExplanation, of request: ExplainedRequest, at entryPoint: String,
        under configuration: Configuration
    ) {
        let http = configuration.http
        let considered = explained.routes?.routers ?? []
        let winner = explained.routes?.winner
        let place = considered.firstIndex { $0.index == winner?.index } ?? considered.count
        let kinds = winner.map { http.routers[$0.index].middlewares } ?? []
        let levels = explained.levels.map { Level($0, http) }
        let (status, reason) = Self.answer(explained.outcome)
        self.init(
            method: request.method, url: request.url, client: request.client, entryPoint: entryPoint,
            tls: explained.tlsOptions.map { TLS(options: $0.name, clientAuthType: $0.clientAuth.rawValue) },
            status: status, reason: reason, router: winner.map { Router($0, http) },
            passedOver: considered[..<place].map { Router($0, http) },
            shadowed: considered.dropFirst(place + 1).filter(\.takes).map { Router($0, http) },
            middlewares: zip(kinds, explained.passages).map { Middleware($0, $1, explained.outcome) }, levels: levels,
            hasSecret: configuration.fleet.secret != nil)
        weighLevels()
    }

    /// Sets Limpet's local response if no server takes the request, as far as that is known.
    mutating func weighLevels() {
        guard let last = passed.last else { return }
        if last.order.isEmpty {
            (status, reason) = (503, "the service has no servers")
        } else if passed.contains(where: \.refuses) {
            let isLive = levels.contains { $0.live != nil }
            (status, reason) = (503, isLive ? "no server is available now" : "no server accepts new sessions")
        } else {
            (status, reason) = (nil, nil)
        }
    }

    /// Limpet's local response.
    private static func answer(_ outcome: RequestExplanation.Outcome) -> (Int?, String?) {
        switch outcome {
        case .malformed(let refusal):
            return (refusal?.status ?? 400, refusal.map { "\($0.reason)" } ?? "the request head is incomplete")
        case .noTLS: return (nil, "the entry point has no TLS, because no router there has it")
        case .noCertificate:
            return (nil, "no certificate covers the name, so the TLS handshake fails (unrecognized_name)")
        case .needsTLS: return (400, "the entry point takes requests over TLS alone: use https")
        case .misdirected: return (421, "the host has other TLS options than the name that the connection is made for")
        case .dotSegment: return (400, "the path contains a . or .. segment")
        case .lastHop(let status): return (status, "Max-Forwards is 0")
        case .noRouter: return (404, "no router matches")
        case .noService: return (503, "the router uses a service or middleware that is not defined")
        case .answered(let status, let location):
            return (status, location.map { "redirect to \($0)" } ?? "a middleware answers")
        case .service: return (nil, nil)
        }
    }
}

extension Explanation.Router {
    fileprivate init(_ considered: RouteExplanation.ConsideredRouter, _ http: HTTPConfiguration) {
        name = considered.name
        rule = http.routers[considered.index].router.rule.text
        priority = considered.priority
        origin = http.routers[considered.index].origin
        because =
            considered.takes
            ? considered.matchers.filter { $0.holds == true }.map(\.text)
            : considered.decidedBy.map { [Self.words($0)] } ?? []
    }

    private static func words(_ matcher: RouteExplanation.EvaluatedMatcher) -> String {
        switch matcher.holds {
        case true?: "\(matcher.text) holds"
        case false?: "\(matcher.text) does not match"
        case nil: "the pattern of \(matcher.text) exceeds its limit"
        }
    }
}

extension Explanation.Middleware {
    fileprivate init(
        _ middleware: Middleware, _ passage: RequestExplanation.Passage, _ outcome: RequestExplanation.Outcome
    ) {
        kind = middleware.kind
        effect =
            switch passage {
            case .headers: "sets and removes headers"
            case .path(let path): "changes the path to \(path)"
            case .allowed: "lets the request through"
            case .credentials: "lets the request through if the password is correct"
            case .retried: "sends a request without a body again if it fails"
            case .answered: if case .answered(let status, _) = outcome { "answers with \(status)" } else { "answers" }
            }
    }
}

extension Explanation.Level {
    fileprivate init(_ level: RequestExplanation.Level, _ http: HTTPConfiguration) {
        let settings = http.services[level.service]
        let targets = Self.targets(of: settings)
        self.init(
            service: settings.name,
            strategy: settings.isFailover ? Self.failover : settings.strategy.rawValue,
            sources: settings.sticky?.sources.map(\.words) ?? [],
            rejects: settings.sticky?.onUnavailable == .reject, source: nil, fingerprint: nil, hint: nil,
            begins: false, order: level.order.map { targets[$0] }, choice: level.choice.map { targets[$0].name },
            proposal: level.proposal.map { targets[$0].name })
        switch level.session {
        case .none: break
        case .begins: begins = true
        case .key(let index, let fingerprint):
            source = sources.indices.contains(index) ? sources[index] : nil
            self.fingerprint = fingerprint.hexadecimal
        case .cookie(let fingerprint, let hint):
            source = sources.last
            self.fingerprint = fingerprint.hexadecimal
            self.hint = hint.map { hint in
                Explanation.Hint(target: level.choice.map { targets[$0].name }, epoch: hint.binding.epoch)
            }
        }
    }

    /// Whether the request is known to be refused at this level.
    fileprivate var refuses: Bool {
        func isUp(_ name: String) -> Bool { live?.down.contains(name) != true }
        if let session = live?.session, session.wouldGo != nil || session.source != nil {
            return session.wouldGo == nil
        }
        // The session is unknown, but a cookie may name its target.
        if let target = hint?.target, isUp(target) || rejects { return !isUp(target) }
        if let proposal, isUp(proposal) { return false }
        return !order.contains { $0.weight > 0 && isUp($0.name) }
    }

    private static func targets(of settings: ServiceSettings) -> [Explanation.Target] {
        switch settings.targets {
        case .servers(let backends):
            backends.map {
                Explanation.Target(
                    name: $0.name, url: $0.url, weight: $0.weight, draining: $0.isDraining,
                    takesNewSessions: $0.weight > 0 && !$0.isDraining)
            }
        case .services(let services):
            services.map {
                Explanation.Target(
                    name: $0.reference.name, url: nil, weight: $0.weight, draining: false,
                    takesNewSessions: $0.weight > 0)
            }
        case .failover(let failover):
            [failover.main, failover.fallback].map {
                Explanation.Target(
                    name: $0.name, url: nil, weight: 1, draining: false, takesNewSessions: $0 == failover.main)
            }
        }
    }
}

extension SessionKeySource {
    /// As `header X-Session-ID`.
    var words: String {
        switch self {
        case .header(let name, let learns): "header \(name)" + (learns ? " (learnt)" : "")
        case .query(let name): "query \(name)"
        case .appCookie(let name, let learns): "cookie \(name)" + (learns ? " (learnt)" : "")
        case .clientIP: "the client's address"
        case .cookie(let cookie, _): "Limpet's cookie \(cookie.name)"
        }
    }
}
