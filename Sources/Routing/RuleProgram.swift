/// Compiled rules: tests, each with the steps to continue with if it holds and if it does not. Negation swaps the two,
/// so a match neither recurses nor allocates.
struct RuleProgram: Sendable {
    /// The index of a test, or a final result.
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
        /// The second value. For a pattern or an address range, `start` is its index in `patterns` or `addresses`.
        let second: Slice
        let onTrue: Step
        let onFalse: Step
    }

    private var tests: [Test] = []
    /// The values of all tests.
    private var values: [UInt8] = []
    private var patterns: [Pattern] = []
    private var addresses: [AddressRange] = []
    /// The position of each test in its rule, for explanations.
    private var places: [Range<Int>] = []

    /// Adds a rule. Returns the step at which its evaluation starts.
    mutating func append(_ expression: RuleExpression) -> Step {
        append(expression, onTrue: Self.accept, onFalse: Self.reject)
    }

    /// Operands are added from last to first, so that every next step is known.
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
        let first = append(matcher.first)
        let second: Slice
        if let pattern = matcher.pattern {
            second = Slice(start: patterns.count, end: 0)
            patterns.append(pattern)
        } else if let range = matcher.addresses {
            second = Slice(start: addresses.count, end: 0)
            addresses.append(range)
        } else {
            second = append(matcher.second)
        }
        tests.append(Test(kind: matcher.kind, first: first, second: second, onTrue: onTrue, onFalse: onFalse))
        places.append(matcher.place)
        return Step(tests.count - 1)
    }

    private mutating func append(_ value: [UInt8]) -> Slice {
        values.append(contentsOf: value)
        return Slice(start: values.count - value.count, end: values.count)
    }

    // MARK: Matching

    /// Whether the rule that starts at `start` holds for the request. If a pattern exceeds its limit, the rule does not
    /// hold, whatever surrounds the pattern: otherwise a client could force a `!` before the pattern to hold.
    func accepts(
        _ request: some RoutableRequest, _ facts: RequestFacts, from start: Step, _ scratch: MatchScratch
    ) -> Bool {
        values.withUnsafeBytes { values in
            let countBefore = scratch.patternsOverLimit
            var step = start
            while step >= 0 {
                let test = tests[Int(step)]
                step = holds(test, request, facts, values, scratch) ? test.onTrue : test.onFalse
                if scratch.patternsOverLimit != countBefore { return false }
            }
            return step == Self.accept
        }
    }

    /// The same, step by step. `body` receives the position of each matcher that is evaluated, and whether it holds:
    /// nil if a pattern exceeded its limit, which ends the evaluation.
    func trace(
        _ request: some RoutableRequest, from start: Step, _ scratch: MatchScratch, _ body: (Range<Int>, Bool?) -> Void
    ) -> Bool {
        let facts = RequestFacts(request)
        return values.withUnsafeBytes { values in
            var step = start
            while step >= 0 {
                let test = tests[Int(step)]
                let countBefore = scratch.patternsOverLimit
                let holds = holds(test, request, facts, values, scratch)
                let isOverLimit = scratch.patternsOverLimit != countBefore
                body(places[Int(step)], isOverLimit ? nil : holds)
                if isOverLimit { return false }
                step = holds ? test.onTrue : test.onFalse
            }
            return step == Self.accept
        }
    }

    private func holds(
        _ test: Test, _ request: some RoutableRequest, _ facts: RequestFacts, _ values: UnsafeRawBufferPointer,
        _ scratch: MatchScratch
    ) -> Bool {
        let first = Self.slice(test.first, of: values)
        switch test.kind {
        case .anyHost: return true
        case .host: return HostName.isEqual(facts.host, first)
        case .hostBelow: return HostName.isOneLabel(facts.host, below: first)
        case .path: return PercentDecoding.matches(facts.path, .path, first)
        case .pathPrefix: return PercentDecoding.matches(facts.path, .path, first, isPrefix: true)
        case .method: return facts.method.elementsEqual(first)
        case .clientAddress:
            let range = addresses[test.second.start]
            return facts.clientAddress.map { range.contains($0) } ?? false
        case .header, .query, .cookie:
            return hasValue(test.kind, request, facts, named: first, Self.slice(test.second, of: values))
        case .hostPattern, .pathPattern, .headerPattern, .queryPattern, .cookiePattern:
            return holds(patterns[test.second.start], test.kind, request, facts, named: first, scratch)
        }
    }

    private func hasValue(
        _ kind: Matcher.Kind, _ request: some RoutableRequest, _ facts: RequestFacts,
        named name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer
    ) -> Bool {
        switch kind {
        case .header:
            return request.hasField(named: name) { $0.elementsEqual(value) }
        case .cookie:
            return request.hasField(named: Self.cookie) { line in
                CookieMatching.hasCookie(line, named: name) { $0.elementsEqual(value) }
            }
        default:
            guard let query = facts.query else { return false }
            return QueryMatching.hasParameter(query, named: name) { $0.matches(value) }
        }
    }

    private func holds(
        _ pattern: Pattern, _ kind: Matcher.Kind, _ request: some RoutableRequest, _ facts: RequestFacts,
        named name: UnsafeRawBufferPointer, _ scratch: MatchScratch
    ) -> Bool {
        switch kind {
        case .hostPattern: return scratch.holds(pattern, forLowercased: facts.host)
        case .pathPattern: return scratch.holds(pattern, for: PercentDecoding(facts.path, .path))
        case .headerPattern: return request.hasField(named: name) { scratch.holds(pattern, for: $0) }
        case .cookiePattern:
            return request.hasField(named: Self.cookie) { line in
                CookieMatching.hasCookie(line, named: name) { scratch.holds(pattern, for: $0) }
            }
        default:
            guard let query = facts.query else { return false }
            return QueryMatching.hasParameter(query, named: name) { scratch.holds(pattern, for: $0) }
        }
    }

    private static func slice(_ slice: Slice, of values: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: values[slice.start..<slice.end])
    }

    private static var cookie: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: CookieMatching.field.utf8Start, count: CookieMatching.field.utf8CodeUnitCount)
    }
}
