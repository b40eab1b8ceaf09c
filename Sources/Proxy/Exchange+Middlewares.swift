import HTTPWire

/// The way through the middlewares, which may end in an answer of theirs.
extension Exchange: PasswordWaiter {
    func pass(_ passage: MiddlewarePassage, _ request: RequestView) {
        self.passage = passage
        while let step = passage.nextStep() {
            switch step {
            case .headers(let rules):
                passage.apply(rules)
            case .stripPrefix(let prefixes):
                guard passage.strip(prefixes, request) else { return answer(.badRequest) }
            case .addPrefix(let prefix):
                passage.add(prefix, request)
            case .redirectScheme(let redirect):
                if let answer = passage.answer(of: redirect, request) { return self.answer(answer) }
            case .ipAllowList(let list):
                if let answer = passage.answer(of: list, request) { return self.answer(answer) }
            case .basicAuth(let gate):
                guard authenticate(gate, passage, request) else { return }
            }
        }
        enter(passage.service, request)
    }

    // MARK: basicAuth

    /// Returns whether to go on at once; else the request was answered, or is told when its password has been checked.
    private func authenticate(
        _ gate: BasicAuthGate, _ passage: MiddlewarePassage, _ request: RequestView
    ) -> Bool {
        guard let credentials = passage.credentials(request) else {
            answer(.unauthorized(realm: gate.settings.realm))
            return false
        }
        switch worker.passwordChecks.check(credentials, gate, now: worker.now(), for: self) {
        case .verified:
            passage.admit(credentials, gate)
            return true
        case .wrong:
            answer(.unauthorized(realm: gate.settings.realm))
        case .overloaded:
            answer(.tooManyPasswords)
        case nil:
            heldHead = HeldHead(request)
            passage.pendingGate = gate
        }
        return false
    }

    func passwordChecked(_ result: PasswordChecks.Result) {
        guard case .deciding = phase, let passage, let gate = passage.pendingGate, let heldHead else { return }
        passage.pendingGate = nil
        self.heldHead = nil
        switch result {
        case .verified:
            let isSeen = heldHead.look(worker) { request in
                guard let credentials = passage.credentials(request) else {
                    return impossible()
                }
                passage.admit(credentials, gate)
                pass(passage, request)
            }
            if !isSeen { impossible() }
        case .wrong:
            answer(.unauthorized(realm: gate.settings.realm))
        case .overloaded:
            answer(.tooManyPasswords)
        }
    }
}
