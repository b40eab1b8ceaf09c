import Configuration

/// An explanation for people: a few labelled lines, the result last.
package struct ExplanationText: CustomStringConvertible {
    /// The most routers listed among those considered before the matching router; the rest are counted.
    private static let passedOverMax = 10
    private static let labelWidth = 10

    private let explanation: Explanation

    package init(_ explanation: Explanation) {
        self.explanation = explanation
    }

    /// Each line ends with a line feed.
    package var description: String {
        var lines = [line("request", "\(explanation.method) \(explanation.url)")]
        lines.append(line("", "at entry point \(explanation.entryPoint), from \(explanation.client)\(tlsWords)"))
        lines += routerLines
        lines += explanation.middlewares.map { line("middleware", "\($0.kind): \($0.effect)") }
        for level in explanation.levels { lines += levelLines(level) }
        lines += ["", line("answer", answer)]
        if !explanation.hasSecret, explanation.levels.contains(where: { $0.fingerprint != nil }) {
            lines.append(line("", "No fleet secret is configured: fingerprint and order change with each start."))
            if explanation.levels.contains(where: { $0.live != nil }) {
                lines.append(line("", "Therefore the replica cannot be asked about the session."))
            }
        }
        return lines.map { $0 + "\n" }.joined()
    }

    private func line(_ label: String, _ text: String) -> String {
        let padding = String(repeating: " ", count: Self.labelWidth - label.count)
        return text.isEmpty ? label : label + padding + " " + EscapedText.of(text)
    }

    private var tlsWords: String {
        guard let tls = explanation.tls else { return "" }
        let demand = tls.clientAuthType == "NoClientCert" ? "" : " (\(tls.clientAuthType))"
        return ", over TLS with options \(tls.options)\(demand)"
    }

    // MARK: Routers

    private var routerLines: [String] {
        var lines: [String] = []
        if let router = explanation.router {
            lines.append(line("router", "\(router.name), priority \(router.priority), of \(router.origin)"))
            lines.append(line("", "\(router.rule)"))
            if router.because != [router.rule] {
                lines.append(line("", "matches by \(router.because.joined(separator: " and "))"))
            }
        } else if explanation.status == 404 {
            lines.append(line("router", "none"))
        }
        let passed = explanation.passedOver
        for (index, router) in passed.prefix(Self.passedOverMax).enumerated() {
            let reason = router.because.first.map { ": \($0)" } ?? ""
            lines.append(line(index == 0 ? "no match" : "", "\(router.name), priority \(router.priority)\(reason)"))
        }
        if passed.count > Self.passedOverMax {
            lines.append(line("", "and \(passed.count - Self.passedOverMax) more that do not match"))
        }
        if let next = explanation.shadowed.first {
            let more = explanation.shadowed.count > 1 ? " and \(explanation.shadowed.count - 1) more" : ""
            lines.append(line("shadowed", "\(next.name), priority \(next.priority)\(more), would match too"))
        }
        return lines
    }

    // MARK: Services

    private func levelLines(_ level: Explanation.Level) -> [String] {
        var lines = [line("service", "\(level.service), \(strategyWords(level))")]
        lines += sessionLines(level)
        lines += orderLines(level)
        if let live = level.live { lines += liveLines(live, level) }
        return lines
    }

    private func strategyWords(_ level: Explanation.Level) -> String {
        if level.isFailover { return "the first service takes the requests; without it, the second" }
        guard !level.sources.isEmpty else { return "not sticky; requests are balanced by \(level.strategy)" }
        return "sticky by \(level.sources.joined(separator: ", then ")); new sessions are placed by \(level.strategy)"
    }

    private func sessionLines(_ level: Explanation.Level) -> [String] {
        let proposal = level.proposal.map { "a cookie proposes \(shown($0)) if the session is unknown" }
        if level.begins {
            return [line("session", "none yet: the response's cookie starts one")]
                + (proposal.map { [line("", $0)] } ?? [])
        }
        guard let source = level.source, let fingerprint = level.fingerprint else {
            return level.sources.isEmpty ? [] : [line("session", "none: the request has no session key")]
        }
        var lines = [line("session", "by \(source), fingerprint \(fingerprint)")]
        if let hint = level.hint {
            let target = hint.target.map { "bound to \($0)" } ?? "bound to a backend that no longer exists"
            lines.append(line("", "according to the cookie: \(target), epoch \(hint.epoch)"))
        }
        if let proposal { lines.append(line("", proposal)) }
        return lines
    }

    private func orderLines(_ level: Explanation.Level) -> [String] {
        let width = level.order.map { EscapedText.of(shown($0.name)).count }.max() ?? 0
        var rank = 0
        return level.order.enumerated().map { index, target in
            var number = target.takesNewSessions ? "" : "-  "
            if target.takesNewSessions, level.fingerprint != nil {
                rank += 1
                number = "\(rank). "
            }
            let name = shown(target.name)
            var text = "\(number)\(name)\(String(repeating: " ", count: max(0, width - EscapedText.of(name).count)))"
            for word in words(target, level) { text += "  \(word)" }
            while text.last == " " { text.removeLast() }
            return line(index == 0 ? (level.fingerprint == nil ? "targets" : "order") : "", text)
        }
    }

    private func words(_ target: Explanation.Target, _ level: Explanation.Level) -> [String] {
        var words = [target.url].compactMap { $0 == target.name ? nil : $0 }
        if target.weight != 1 { words.append("weight \(target.weight)") }
        if target.draining { words.append("draining") }
        if level.live?.down.contains(target.name) == true { words.append("DOWN") }
        return words
    }

    private func liveLines(_ live: Explanation.Live, _ level: Explanation.Level) -> [String] {
        guard let session = live.session else { return [] }
        let bound = session.backend.map { "bound to \(shown($0))" } ?? "bound to a backend that no longer exists"
        let known = "\(bound), epoch \(session.epoch ?? 0)"
        switch (session.source, session.store) {
        case (.store, _): return [line("now", "\(known), according to the store")]
        case (.cache, nil): return [line("now", "\(known), \(words(session))")]
        case (.cache, .asked): return [line("now", "\(known), \(words(session)); the store knows nothing newer")]
        case (.cache, .away): return [line("now", "\(known), \(words(session)); the store is unavailable")]
        case (nil, .away): return [line("now", "unknown to the replica; the store is unavailable")]
        case (nil, _):
            let end = level.hint == nil ? ": a new session" : "; the cookie decides"
            return [line("now", "unknown to the replica and the store\(end)")]
        }
    }

    /// How the replica learned of the binding.
    private func words(_ session: SessionView) -> String {
        switch session.kind {
        case .dirty: "decided without the store"
        case .guess: "guessed without the store"
        case .standby: "confirmed to another replica (standby)"
        case .expired: "confirmed earlier, and its lifetime here is over"
        case .confirmed, nil: session.suspect == true ? "confirmed earlier" : "confirmed"
        }
    }

    // MARK: Answer

    private var answer: String {
        if let status = explanation.status { return "\(status) from Limpet: \(explanation.reason ?? "")" }
        if let reason = explanation.reason { return "none: \(reason)" }
        guard let level = explanation.passed.last else { return "unknown" }
        if level.isFailover, level.leadsElsewhere, let fallback = level.order.last {
            return "from \(shown(fallback.name)), because no server of \(shown(level.choice ?? "")) is up"
        }
        if let live = level.live, let session = live.session { return answer(session, live, level) }
        if let hint = level.hint, let target = hint.target {
            return "from \(named(target, level)), unless the session has moved since"
        }
        guard let choice = level.choice else { return "from any of \(level.service)'s servers: \(chance(level))" }
        if level.order.count == 1 { return "from \(named(choice, level))" }
        return
            "from \(named(choice, level)) if the session is new and the server is up; a bound session stays where it is"
    }

    private func answer(_ session: SessionView, _ live: Explanation.Live, _ level: Explanation.Level) -> String {
        // If neither cache nor store knows the session, its own cookie may name the target.
        let hinted = (level.hint?.target ?? level.proposal).flatMap { live.down.contains($0) ? nil : $0 }
        guard let target = session.wouldGo ?? hinted else { return "unknown" }
        guard session.source == nil else { return "from \(named(target, level))" }
        guard session.store == .asked else {
            return "from \(named(hinted ?? target, level)) while the store is unavailable"
        }
        guard level.hint == nil else { return "from \(named(hinted ?? target, level))" }
        guard level.choice != nil else { return "from any of \(level.service)'s servers: \(chance(level))" }
        return "from \(named(hinted ?? target, level)), where the session starts"
    }

    private func chance(_ level: Explanation.Level) -> String {
        if level.fingerprint == nil, level.begins, level.strategy == "hrw" { return "a new session gets a random key" }
        switch level.strategy {
        case "p2c": return "two are drawn at random, and the one with fewer requests in flight is taken"
        case "wrr": return "in turn, by weight"
        default: return level.sources.isEmpty ? "by the client's address" : "in turn, by weight"
        }
    }

    private func named(_ name: String, _ level: Explanation.Level) -> String {
        let url = level.order.first { $0.name == name }?.url
        return shown(name) + (url.map { $0 == name ? "" : " (\($0))" } ?? "")
    }

    /// Container ids are shortened as the Engine's own tools do.
    private func shown(_ name: String) -> String {
        let isID = name.utf8.count == 64 && name.allSatisfy(\.isHexDigit)
        return isID ? String(name.prefix(12)) : name
    }
}
