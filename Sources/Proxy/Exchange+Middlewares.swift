import HTTPWire
import Routing

/// The way through the middlewares, which may end in an answer of theirs.
extension Exchange: PasswordWaiter {
    func pass(_ passage: MiddlewarePassage, _ head: RequestHead, _ bytes: UnsafeRawBufferPointer) {
        self.passage = passage
        while let step = passage.nextStep() {
            switch step {
            case .headers(let rules):
                passage.apply(rules)
            case .stripPrefix(let prefixes):
                passage.strip(prefixes, head, in: bytes)
            case .addPrefix(let prefix):
                passage.add(prefix, head, in: bytes)
            case .redirectScheme(let redirect):
                if let answer = self.redirect(redirect, passage, head, bytes) { return self.answer(answer) }
            case .ipAllowList(let list):
                guard isAllowed(by: list, passage, bytes) else {
                    return answer(OwnAnswer(status: list.refusalStatus, label: "address_refused"))
                }
            case .basicAuth(let gate):
                guard authenticate(gate, passage, head, bytes) else { return }
            }
        }
        enter(passage.service, head, bytes)
    }

    // MARK: redirectScheme

    /// Nil where the request came by the scheme that it is to come by.
    private func redirect(
        _ redirect: SchemeRedirect, _ passage: MiddlewarePassage, _ head: RequestHead, _ bytes: UnsafeRawBufferPointer
    ) -> OwnAnswer? {
        guard scheme(passage, bytes) != redirect.scheme else { return nil }
        // HTTP/1.0 without Host: there is no telling where to.
        guard let host = head.host else { return OwnAnswer(.badRequest) }
        let location = passage.withPath(head, in: bytes) { path in
            redirect.location(
                host: UnsafeRawBufferPointer(rebasing: bytes[host]), path: path,
                query: head.query.map { UnsafeRawBufferPointer(rebasing: bytes[$0]) })
        }
        return .redirect(to: location, status: redirect.status(for: head.method))
    }

    /// What a middleware or a trusted peer says it was, else that of the connection.
    private func scheme(_ passage: MiddlewarePassage, _ bytes: UnsafeRawBufferPointer) -> SchemeRedirect.Scheme {
        let isKnown = client?.identity?.isTrusted ?? false || passage.request.drops("x-forwarded-proto")
        guard isKnown, let value = passage.value(of: "x-forwarded-proto", worker.requestFields, in: bytes) else {
            return .http
        }
        return SchemeRedirect.Scheme(forwarded: value) ?? .http
    }

    // MARK: ipAllowList

    private func isAllowed(
        by list: IPAllowList, _ passage: MiddlewarePassage, _ bytes: UnsafeRawBufferPointer
    ) -> Bool {
        guard let address = address(list.depth, passage, bytes) else { return false }
        return list.ranges.contains { $0.contains(address) }
    }

    private func address(
        _ depth: Int?, _ passage: MiddlewarePassage, _ bytes: UnsafeRawBufferPointer
    ) -> AddressRange.Bits? {
        guard let identity = client?.identity else { return nil }
        guard let depth else { return identity.bits }
        // What an untrusted peer says of the way here is not believed.
        guard identity.isTrusted, depth > 0 else { return nil }
        var chain: [Range<Int>] = []
        let fields = worker.requestFields
        var index = fields.first(.xForwardedFor)
        while let found = index {
            var elements = ListElements(of: fields[found].valueRange, in: bytes)
            while let element = elements.next() { chain.append(element) }
            index = fields.next(.xForwardedFor, after: found)
        }
        guard chain.count >= depth else { return nil }
        let text = String(decoding: bytes[chain[chain.count - depth]], as: UTF8.self)
        return AddressRange.Bits(text).map { AddressRange.Bits(packet: $0.bytes) }
    }

    // MARK: basicAuth

    /// Returns whether to go on at once; else the request was answered, or is told when its password has been checked.
    private func authenticate(
        _ gate: BasicAuthGate, _ passage: MiddlewarePassage, _ head: RequestHead, _ bytes: UnsafeRawBufferPointer
    ) -> Bool {
        guard let credentials = credentials(passage, bytes) else {
            answer(.unauthorized(realm: gate.settings.realm))
            return false
        }
        switch worker.passwordChecks.check(credentials, gate, now: worker.now(), for: self) {
        case .verified:
            admit(credentials, gate, passage)
            return true
        case .wrong:
            answer(.unauthorized(realm: gate.settings.realm))
        case .overloaded:
            answer(.tooManyPasswords)
        case nil:
            heldHead = HeldHead(head, in: bytes)
            pendingGate = gate
        }
        return false
    }

    func passwordChecked(_ result: PasswordChecks.Result) {
        guard case .deciding = phase, let passage, let gate = pendingGate, let heldHead else { return }
        pendingGate = nil
        self.heldHead = nil
        switch result {
        case .verified:
            let isSeen = heldHead.look(worker) { head, bytes in
                guard let credentials = credentials(passage, bytes) else { return impossible() }
                admit(credentials, gate, passage)
                pass(passage, head, bytes)
            }
            if !isSeen { impossible() }
        case .wrong:
            answer(.unauthorized(realm: gate.settings.realm))
        case .overloaded:
            answer(.tooManyPasswords)
        }
    }

    private func credentials(_ passage: MiddlewarePassage, _ bytes: UnsafeRawBufferPointer) -> BasicCredentials? {
        passage.value(of: "authorization", worker.requestFields, in: bytes).flatMap { value in
            value.withUnsafeBytes { BasicCredentials(fieldValue: $0) }
        }
    }

    private func admit(_ credentials: BasicCredentials, _ gate: BasicAuthGate, _ passage: MiddlewarePassage) {
        if let name = gate.settings.headerField {
            passage.request.apply(.set(name: name, value: credentials.user))
        }
        if gate.settings.removesHeader { passage.request.apply(.remove(name: "Authorization")) }
    }
}
