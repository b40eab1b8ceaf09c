import HTTPWire

/// One request on its way through the middlewares of its router: how far it is, and what they have done to it.
final class MiddlewarePassage {
    let chain: MiddlewareChain
    let service: ServiceRuntime
    private var next = 0
    /// In place of the path as it came.
    private(set) var path: [UInt8]?
    /// What becomes of the request's fields.
    var edits = FieldEdits()
    /// The one whose password is being checked.
    var pendingGate: BasicAuthGate?
    private var responses: [[FieldEdit]] = []

    init(_ chain: MiddlewareChain, to service: ServiceRuntime) {
        self.chain = chain
        self.service = service
    }

    func nextStep() -> MiddlewareChain.Step? {
        guard next < chain.steps.count else { return nil }
        defer { next += 1 }
        return chain.steps[next]
    }

    func apply(_ rules: MiddlewareChain.FieldRules) {
        edits.apply(rules.request)
        responses.append(rules.response)
    }

    /// What becomes of the response's fields: it meets the middlewares in the opposite order.
    var response: FieldEdits {
        responses.reversed().reduce(into: FieldEdits()) { $0.apply($1) }
    }

    /// Calls `body` with the path as it is by now. An empty one, of an absolute target, means `/` (RFC 9112, section
    /// 3.2.2).
    func withPath<Result>(_ request: RequestView, _ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        path?.withUnsafeBytes(body) ?? body(request.path)
    }

    /// Returns false where what is left has a dot segment, as of `/pub../x` without `/pub`: that is refused, as it is
    /// in a path as it comes.
    func strip(_ prefixes: [(path: [UInt8], told: [UInt8])], _ request: RequestView) -> Bool {
        guard let stripped = withPath(request, { PathEdit.strip(prefixes, from: $0) }) else { return true }
        path = stripped.path
        edits.apply(.add(name: "X-Forwarded-Prefix", value: stripped.told))
        return stripped.path.withUnsafeBytes { !DotSegments.stand(in: $0) }
    }

    func add(_ prefix: [UInt8], _ request: RequestView) {
        path = withPath(request) { PathEdit.add(prefix, to: $0) }
    }

    /// The value of the request's first field of this name, as the middlewares have left it.
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
extension MiddlewarePassage: Sendable {}
