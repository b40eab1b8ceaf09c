import Affinity
import HTTPWire
package import NIOCore
import Routing

extension Worker {
    /// Explains what would happen to a request, using the same code that serves requests. It contacts nothing, counts
    /// nothing and stores nothing.
    ///
    /// - Parameters:
    ///   - bytes: the complete request head.
    ///   - remote: the client's address.
    ///   - secureHost: the host of an https URL, which the client asks for by its name; nil: the request comes without
    ///     TLS. Whatever is demanded of the client, it does.
    package func explain(
        _ bytes: [UInt8], at entryPoint: EntryPoint, from remote: SocketAddress, secureHost: String? = nil
    ) -> RequestExplanation {
        var connection: TLSConnectionInfo?
        if let secureHost {
            guard let tls = table.snapshot.tls, tls.serves(entryPoint.index) else {
                return RequestExplanation(outcome: .noTLS)
            }
            connection = tls.assumedConnection(secureHost, entryPoint: entryPoint.index)
            if connection == nil { return RequestExplanation(outcome: .noCertificate) }
        }
        let client = ClientConnectionInfo(
            remote: remote, tls: connection, entryPoint: entryPoint, replicaName: loop.replicaName)
        let fields = loop.requestFields
        return bytes.withUnsafeBytes { bytes in
            switch loop.scanner.scanRequest(bytes, into: fields) {
            case .incomplete: RequestExplanation(outcome: .malformed(nil))
            case .refused(let refusal): RequestExplanation(outcome: .malformed(refusal))
            case .head(let head): explain(RequestView(head: head, bytes: bytes, fields: fields, client: client))
            }
        }
    }

    private func explain(_ request: RequestView) -> RequestExplanation {
        let routes = table.snapshot.routes.explain(
            request, entryPoint: table.snapshot.routeIndex(of: request.client))
        var explanation = RequestExplanation(
            outcome: .service, tlsOptions: request.client.tls?.options, routes: routes)
        var steps = RequestRouting()
        steps.trace = []
        while true {
            switch steps.next(request, in: table) {
            case .checkPassword(let credentials, let gate):
                // The password is not verified here.
                steps.admit(credentials, gate)
                continue
            case .answer(let answer):
                explanation.outcome = Self.outcome(answer)
                if [.needsTLS, .misdirected].contains(explanation.outcome) { explanation.routes = nil }
            case .service:
                break
            }
            explanation.passages = steps.trace ?? []
            guard explanation.outcome == .service, let place = steps.router?.service else { return explanation }
            explainLevels(from: place, into: &explanation) { service in
                let presented = service.presentedSession(request, edits: steps.middlewares?.edits)
                return switch presented {
                case .key: (presented, service.proposedBackend(request))
                case .newSession(let proposal): (presented, proposal)
                case .cookie, .none: (presented, nil)
                }
            }
            return explanation
        }
    }

    private static func outcome(_ answer: LocalResponse) -> RequestExplanation.Outcome {
        switch answer.cause.reason {
        case .dotSegment: .dotSegment
        // The last recipient does not implement TRACE, and routing refuses nothing else as not implemented.
        case .maxForwards, .notImplemented: .lastHop(status: answer.status)
        case .plainHTTP: .needsTLS
        case .misdirected: .misdirected
        case .noRoute: .noRouter
        case .noService: .noService
        default: .answered(status: answer.status, location: answer.location)
        }
    }

    private func explainLevels(
        from place: Int, into explanation: inout RequestExplanation,
        _ presented: (ServiceRuntime) -> (PresentedSession, proposal: BackendHash?)
    ) {
        var place: Int? = place
        while let service = place {
            let (presented, proposal) = presented(services[service])
            let level = explainLevel(service, presented, proposal)
            explanation.levels.append(level)
            let children = services[service].description.children
            place = level.choice.flatMap { children.indices.contains($0) ? children[$0] : nil }
        }
    }

    private func explainLevel(
        _ place: Int, _ presented: PresentedSession, _ proposal: BackendHash?
    ) -> RequestExplanation.Level {
        let service = services[place]
        let membership = service.description.membership
        func level(
            _ session: RequestExplanation.Session, _ fingerprint: Fingerprint?, bound: BackendHash? = nil
        ) -> RequestExplanation.Level {
            let order = fingerprint.map(membership.ranked) ?? Array(0..<membership.count)
            let placed = fingerprint.flatMap { fingerprint in
                service.description.strategy == .hrw ? membership.firstOfAll(fingerprint) : nil
            }
            let proposed = proposal.flatMap { membership.index(of: $0) }
            return RequestExplanation.Level(
                service: place, session: session, order: order,
                choice: bound.flatMap { membership.index(of: $0) } ?? proposed ?? placed ?? membership.onlyOne,
                proposal: proposed)
        }
        switch presented {
        case .none: return level(.none, nil)
        case .newSession: return level(.begins, nil)
        case .key(let fingerprint, let source): return level(.key(source: source, fingerprint), fingerprint)
        case .cookie(let fingerprint, let opened):
            let hint = service.believable(opened.hint, now: loop.wallClock())
            return level(.cookie(fingerprint, hint), fingerprint, bound: hint?.binding.backend)
        }
    }
}

extension Membership {
    /// Where the order places a new session while all are up: at a draining backend only as a last resort.
    fileprivate func firstOfAll(_ fingerprint: Fingerprint) -> Int? {
        choose(fingerprint) { _ in true } ?? choose(fingerprint, draining: true) { _ in true }
    }

    /// The only backend that a new session can be placed on, if there is exactly one.
    fileprivate var onlyOne: Int? {
        let weighing = backends.indices.filter { backends[$0].weight > 0 }
        let takers = weighing.filter(takesNewSessions)
        let candidates = takers.isEmpty ? weighing : takers
        return candidates.count == 1 ? candidates[0] : nil
    }
}
