import HTTPWire

/// The state of one request on its way through the middlewares of its router: the position, and the changes so far.
final class MiddlewareRun {
    /// The result of one middleware.
    enum Outcome {
        case goOn
        case answer(LocalResponse)
        /// The remaining path has a dot segment, such as `/pub../x` without `/pub`. The request is refused, as if it
        /// had arrived with one.
        case dotSegment
        /// Continue if the password is correct.
        case checkPassword(BasicCredentials, BasicAuthGate)
    }

    private let chain: MiddlewareChain
    private var index = 0
    /// Replaces the original path, if not nil.
    private(set) var path: [UInt8]?
    /// The changes to the request's fields.
    private(set) var edits = FieldEdits()
    private var responses: [[FieldEdit]] = []
    /// The retries of the request; nil without the middleware. Of several, the one closest to the service counts.
    private(set) var retry: RetryRun?

    init(_ chain: MiddlewareChain) {
        self.chain = chain
    }

    /// Runs the next middleware; nil after the last.
    func next(_ request: RequestView) -> Outcome? {
        guard let step = upcoming else { return nil }
        index += 1
        switch step {
        case .headers(let rules):
            edits.apply(rules.request)
            responses.append(request.client.tls == nil ? rules.response : rules.secureResponse)
            return .goOn
        case .stripPrefix(let prefixes): return strip(prefixes, request) ? .goOn : .dotSegment
        case .addPrefix(let prefix):
            path = withPath(request) { PathEdit.add(prefix, to: $0) }
            return .goOn
        case .redirectScheme(let redirect): return answer(of: redirect, request).map(Outcome.answer) ?? .goOn
        case .ipAllowList(let list): return answer(of: list, request).map(Outcome.answer) ?? .goOn
        case .passTLSClientCert(let pass):
            edits.apply(pass.edits(for: request.client.tls?.clientCertificate))
            return .goOn
        case .retry(let settings):
            retry = RetryRun(settings)
            return .goOn
        case .basicAuth(let gate):
            guard let credentials = credentials(request) else {
                return .answer(.unauthorized(realm: gate.settings.realm))
            }
            return .checkPassword(credentials, gate)
        }
    }

    /// The middleware that `next` runs next.
    var upcoming: MiddlewareChain.Step? { index < chain.steps.count ? chain.steps[index] : nil }

    /// The changes to the response's fields: a response passes the middlewares in the opposite order.
    var responseEdits: FieldEdits {
        responses.reversed().reduce(into: FieldEdits()) { $0.apply($1) }
    }

    /// Calls `body` with the current path.
    func withPath<Result>(_ request: RequestView, _ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        path?.withUnsafeBytes(body) ?? body(request.pathToSend)
    }

    /// The user's password has been verified.
    func admit(_ credentials: BasicCredentials, _ gate: BasicAuthGate) {
        if let name = gate.settings.headerField { edits.apply(.set(name: name, value: credentials.user)) }
        if gate.settings.removesHeader { edits.apply(.remove(name: "Authorization")) }
    }

    /// Returns false if the remaining path has a dot segment.
    private func strip(_ prefixes: [(path: [UInt8], told: [UInt8])], _ request: RequestView) -> Bool {
        guard let stripped = withPath(request, { PathEdit.strip(prefixes, from: $0) }) else { return true }
        path = stripped.path
        edits.apply(.add(name: "X-Forwarded-Prefix", value: stripped.told))
        return stripped.path.withUnsafeBytes { !DotSegments.occur(in: $0) }
    }

    /// The value of the request's first field of this name, after the middlewares so far.
    func value(of name: StaticString, _ request: RequestView) -> [UInt8]? {
        let key = UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount)
        if let value = edits.value(of: key) { return Array(value) }
        guard !edits.drops(key), let index = request.fields.firstIndex(named: name, in: request.bytes) else {
            return nil
        }
        return Array(request.bytes[request.fields[index].valueRange])
    }
}

@available(*, unavailable)
extension MiddlewareRun: Sendable {}
