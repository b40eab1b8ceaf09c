extension Exchange: PasswordWaiter {
    func check(_ credentials: BasicCredentials, _ gate: BasicAuthGate, _ view: RequestView) {
        let result = worker.passwordChecks.check(credentials, gate, now: loop.now(), for: self)
        guard let result else {
            bufferedHead = BufferedHead(view)
            pendingPassword = (credentials, gate)
            return
        }
        advance(result, credentials, gate, view)
    }

    func passwordChecked(_ result: PasswordChecks.Result) {
        guard case .deciding = phase, let (credentials, gate) = pendingPassword, let bufferedHead else { return }
        pendingPassword = nil
        self.bufferedHead = nil
        if !bufferedHead.withView(loop, { advance(result, credentials, gate, $0) }) { failInvariant() }
    }

    private func advance(
        _ result: PasswordChecks.Result, _ credentials: BasicCredentials, _ gate: BasicAuthGate, _ view: RequestView
    ) {
        switch result {
        case .verified:
            steps.admit(credentials, gate)
            advance(view)
        case .wrong: answer(.unauthorized(realm: gate.settings.realm))
        case .overloaded: answer(.tooManyPasswords)
        }
    }
}
