/// Compiled rules: tests that say where to go on when they hold and when they do not. Negation is a swap of the two,
/// so a match neither recurses nor allocates nor counts references.
struct RuleProgram: Sendable {
    /// The index of a test, or the verdict.
    typealias Step = Int32
    static let accept: Step = -1
    static let reject: Step = -2

    private struct Slice: Sendable {
        let start: Int
        let end: Int
    }

    private struct Test: Sendable {
        let kind: Matcher.Kind
        let first: Slice
        let second: Slice
        let onTrue: Step
        let onFalse: Step
    }

    private var tests: [Test] = []
    /// The values of all tests.
    private var values: [UInt8] = []

    /// Adds a rule; the result is the step at which its evaluation starts.
    mutating func append(_ expression: RuleExpression) -> Step {
        append(expression, onTrue: Self.accept, onFalse: Self.reject)
    }

    /// Operands are added last to first, so that every step to go on to is known.
    private mutating func append(_ expression: RuleExpression, onTrue: Step, onFalse: Step) -> Step {
        switch expression {
        case .matcher(let matcher):
            return append(matcher, onTrue: onTrue, onFalse: onFalse)
        case .not(let operand):
            return append(operand, onTrue: onFalse, onFalse: onTrue)
        case .all(let operands):
            return operands.reversed().reduce(onTrue) { append($1, onTrue: $0, onFalse: onFalse) }
        case .any(let operands):
            return operands.reversed().reduce(onFalse) { append($1, onTrue: onTrue, onFalse: $0) }
        }
    }

    private mutating func append(_ matcher: Matcher, onTrue: Step, onFalse: Step) -> Step {
        tests.append(
            Test(
                kind: matcher.kind, first: append(matcher.first), second: append(matcher.second),
                onTrue: onTrue, onFalse: onFalse))
        return Step(tests.count - 1)
    }

    private mutating func append(_ value: [UInt8]) -> Slice {
        values.append(contentsOf: value)
        return Slice(start: values.count - value.count, end: values.count)
    }

    /// Whether the rule that starts at `start` holds for the request.
    func accepts(_ request: some RoutableRequest, host: UnsafeRawBufferPointer, from start: Step) -> Bool {
        values.withUnsafeBytes { values in
            var step = start
            while step >= 0 {
                let test = tests[Int(step)]
                step = holds(test, request, host: host, values) ? test.onTrue : test.onFalse
            }
            return step == Self.accept
        }
    }

    private func holds(
        _ test: Test, _ request: some RoutableRequest, host: UnsafeRawBufferPointer, _ values: UnsafeRawBufferPointer
    ) -> Bool {
        let first = UnsafeRawBufferPointer(rebasing: values[test.first.start..<test.first.end])
        let second = UnsafeRawBufferPointer(rebasing: values[test.second.start..<test.second.end])
        return switch test.kind {
        case .anyHost: true
        case .host: HostName.isEqual(host, first)
        case .hostBelow: HostName.isOneLabel(host, below: first)
        case .path: PercentDecoding.matches(request.path, .path, first)
        case .pathPrefix: PercentDecoding.matches(request.path, .path, first, isPrefix: true)
        case .header: request.hasField(named: first) { $0.elementsEqual(second) }
        case .method: request.method.elementsEqual(first)
        case .query: request.query.map { QueryMatching.hasParameter($0, named: first, value: second) } ?? false
        }
    }
}
