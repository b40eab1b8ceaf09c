import Affinity
import HTTPWire
package import NIOCore
import Routing

extension Worker {
    /// Says what would become of a request, by the same means by which it would be served. Nothing is asked, counted or
    /// remembered.
    ///
    /// - Parameters:
    ///   - bytes: its head, whole.
    ///   - remote: where it comes from.
    package func explain(_ bytes: [UInt8], at entryPoint: EntryPoint, from remote: SocketAddress) -> RequestExplanation
    {
        let client = ClientIdentity(remote: remote, local: nil, entryPoint: entryPoint, replicaName: replicaName)
        return bytes.withUnsafeBytes { bytes in
            switch scanner.scanRequest(bytes, into: requestFields) {
            case .incomplete: RequestExplanation(outcome: .malformed(nil))
            case .refused(let refusal): RequestExplanation(outcome: .malformed(refusal))
            case .head(let head):
                explain(
                    RequestView(head: head, bytes: bytes, fields: requestFields, client: client), at: entryPoint)
            }
        }
    }

    private func explain(_ request: RequestView, at entryPoint: EntryPoint) -> RequestExplanation {
        let head = request.head
        let routes = snapshot.routes.explain(request, entryPoint: entryPoint.index)
        var explanation = RequestExplanation(outcome: .noRouter, routes: routes)
        let isUnsafe = DotSegments.stand(in: UnsafeRawBufferPointer(rebasing: request.bytes[head.path]))
        if isUnsafe { explanation.outcome = .dotSegment }
        if head.wantsUpgrade { explanation.outcome = .upgrade }
        guard !head.wantsUpgrade, !isUnsafe, let router = routes.winner?.index else { return explanation }
        guard let place = snapshot.routers[router].service else {
            explanation.outcome = .noService
            return explanation
        }
        explanation.outcome = .service
        var edits: FieldEdits?
        if let chain = middlewares(of: router) {
            let passage = MiddlewarePassage(chain, to: services[place])
            explain(passage, request, &explanation)
            edits = passage.edits
        }
        guard explanation.outcome == .service else { return explanation }
        explainLevels(from: place, into: &explanation) { service in
            service.presentedSession(request, edits: edits)
        }
        return explanation
    }

    private func explain(
        _ passage: MiddlewarePassage, _ request: RequestView, _ explanation: inout RequestExplanation
    ) {
        while explanation.outcome == .service, let step = passage.nextStep() {
            let answer: OwnAnswer?
            switch step {
            case .headers(let rules):
                passage.apply(rules)
                explanation.passages.append(.headers)
                continue
            case .stripPrefix(let prefixes):
                let isSafe = passage.strip(prefixes, request)
                explanation.passages.append(.path(path(passage, request)))
                if !isSafe { explanation.outcome = .dotSegment }
                continue
            case .addPrefix(let prefix):
                passage.add(prefix, request)
                explanation.passages.append(.path(path(passage, request)))
                continue
            case .redirectScheme(let redirect):
                answer = passage.answer(of: redirect, request)
            case .ipAllowList(let list):
                answer = passage.answer(of: list, request)
            case .basicAuth(let gate):
                guard let credentials = passage.credentials(request) else {
                    answer = .unauthorized(realm: gate.settings.realm)
                    break
                }
                passage.admit(credentials, gate)
                explanation.passages.append(.credentials)
                continue
            }
            explanation.passages.append(answer == nil ? .allowed : .answered)
            if let answer {
                explanation.outcome = .answered(status: answer.status, location: answer.location)
            }
        }
    }

    private func path(_ passage: MiddlewarePassage, _ request: RequestView) -> String {
        passage.withPath(request) { String(decoding: $0, as: UTF8.self) }
    }

    private func explainLevels(
        from place: Int, into explanation: inout RequestExplanation,
        _ presented: (ServiceRuntime) -> PresentedSession
    ) {
        var place: Int? = place
        while let service = place {
            let level = explainLevel(service, presented(services[service]))
            explanation.levels.append(level)
            let children = services[service].description.children
            place = level.choice.flatMap { children.indices.contains($0) ? children[$0] : nil }
        }
    }

    private func explainLevel(_ place: Int, _ presented: PresentedSession) -> RequestExplanation.Level {
        let service = services[place]
        let membership = service.description.membership
        func level(
            _ session: RequestExplanation.Session, _ fingerprint: Fingerprint?, bound: BackendHash? = nil
        ) -> RequestExplanation.Level {
            let order = fingerprint.map(membership.ranked) ?? Array(0..<membership.count)
            let placed = fingerprint.flatMap { fingerprint in
                service.description.strategy == .hrw ? membership.firstOfAll(fingerprint) : nil
            }
            let only = membership.onlyOne
            return RequestExplanation.Level(
                service: place, session: session, order: order,
                choice: bound.flatMap { membership.index(of: $0) } ?? placed ?? only)
        }
        switch presented {
        case .none: return level(.none, nil)
        case .newSession: return level(.begins, nil)
        case .key(let fingerprint, let source): return level(.key(source: source, fingerprint), fingerprint)
        case .cookie(let fingerprint, let opened):
            let hint = service.believable(opened.hint, now: wallClock())
            return level(.cookie(fingerprint, hint), fingerprint, bound: hint?.binding.backend)
        }
    }
}

extension Membership {
    /// Where a new session goes by its order while all are up: to a draining one only where there is no other.
    fileprivate func firstOfAll(_ fingerprint: Fingerprint) -> Int? {
        choose(fingerprint) { _ in true } ?? choose(fingerprint, draining: true) { _ in true }
    }

    /// The only one that a new session can go to, if there is one.
    fileprivate var onlyOne: Int? {
        let weighing = backends.indices.filter { backends[$0].weight > 0 }
        let takers = weighing.filter(takesNewSessions)
        let candidates = takers.isEmpty ? weighing : takers
        return candidates.count == 1 ? candidates[0] : nil
    }
}
