import Affinity
import HTTPWire

/// Weighted services: each level has its own session, decides for one of its children, and hands on.
extension Exchange {
    /// A service above the one that is deciding now, and what it decided.
    struct Level {
        let service: ServiceRuntime
        var decision: Decision
        let session: SessionState
        let route: Route?
        /// The child that it decided for.
        let target: BackendHash
        /// Children that turned out to have no backend for this request.
        let refused: [BackendHash]
    }

    /// Deeper than anybody nests services; a loop, which the configuration cannot have, ends here.
    private static let levelsMax = 16

    /// To the backend or the child that the service has decided for.
    func go(_ service: ServiceRuntime, _ index: Int) {
        guard service.isWeighted else { return connect(service.pools[index]) }
        guard service.children.indices.contains(index), levels.count < Self.levelsMax, let heldHead else {
            return impossible()
        }
        let target = service.description.membership.backends[index].hash
        levels.append(
            Level(
                service: service, decision: decision, session: session, route: route, target: target,
                refused: refusedByChildren))
        service.requestBegan(at: target)
        let child = service.children[index]
        self.service = child
        session = .none
        route = nil
        refusedByChildren = []
        balanceFailures = 0
        let isSeen = heldHead.look(worker) { decide($0, child) }
        if !isSeen { impossible() }
    }

    /// The service has no backend for this request: the one above it is asked for another child.
    func refused(_ refusal: Refusal) {
        guard refusal == .noBackend, let level = levels.popLast() else { return answer(.serviceUnavailable) }
        pool = nil
        level.service.requestEnded(at: level.target)
        service = level.service
        decision = level.decision
        session = level.session
        route = level.route
        refusedByChildren = level.refused + [level.target]
        // Each child has had its turn, or as many turns as there are children.
        guard refusedByChildren.count < level.service.children.count else { return refused(.noBackend) }
        decideAgain(level)
    }

    /// A child that is down is left as a backend would be. One that is up, and has nobody for this request, would only
    /// be chosen again.
    private func decideAgain(_ level: Level) {
        if refusedByChildren.contains(where: level.service.isUp) {
            perform(
                level.service.affinity.elsewhere(decision, from: route, besides: refusedByChildren), level.service)
        } else if level.route?.provenance == .balanced {
            balance(level.service)
        } else {
            decideAgain(level.service)
        }
    }

    /// The lines that give the client the cookies of the levels, the outermost first, where it is to have them.
    func setCookies() -> [UInt8] {
        guard let service else { return [] }
        var lines: [UInt8] = []
        for level in levels { lines += setCookie(level.service, level.session, level.route) }
        return lines.isEmpty
            ? setCookie(service, session, route) : lines + setCookie(service, session, route)
    }

    private func setCookie(_ service: ServiceRuntime, _ session: SessionState, _ route: Route?) -> [UInt8] {
        guard case .cookie(let id, let presented) = session, let route else { return [] }
        return service.setCookie(for: id, presented: presented, route: route, worker: worker)
    }
}
