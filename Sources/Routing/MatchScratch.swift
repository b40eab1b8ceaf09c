import CLimpetRegex

/// What one event loop needs to ask requests about patterns, and what it has counted meanwhile. Allocated once.
package final class MatchScratch {
    /// The bytes of a value that a pattern is asked about, decoded; a longer one is over the limit.
    static let valueMax = 8192
    /// What finding out about one value may cost.
    static let stepsMax: UInt32 = 100_000
    /// What all that is asked about one request may cost: a client chooses how many values there are.
    static let requestStepsMax: UInt32 = 500_000
    /// How many steps are allowed at first, and by how much more than the last time. What a match has taken is not
    /// told, so it counts as what it was allowed: not much more than it took.
    private static let (stepsMin, stepsGrowth): (UInt32, UInt32) = (100, 4)

    /// Times at which a pattern went over a limit: too many steps, too much memory, too long a value or
    /// too many values.
    package private(set) var patternsOverLimit: UInt64 = 0

    private var stepsLeft = requestStepsMax
    /// Nil without memory; every match is over the limit then.
    private let regex: OpaquePointer?
    private let value: UnsafeMutableRawBufferPointer
    private let repaired: UnsafeMutableRawBufferPointer

    package init() {
        regex = limpet_regex_scratch_new()
        value = .allocate(byteCount: Self.valueMax, alignment: 8)
        repaired = .allocate(byteCount: Self.valueMax * UTF8Repair.growth, alignment: 8)
    }

    deinit {
        limpet_regex_scratch_free(regex)
        value.deallocate()
        repaired.deallocate()
    }

    /// From here on another request is asked about.
    func beginRequest() { stepsLeft = Self.requestStepsMax }

    /// Whether the pattern matches anywhere in the bytes as they are. Where a limit is met that is counted, and the
    /// answer is true, so that no further value is asked about.
    func holds(_ pattern: Pattern, for bytes: UnsafeRawBufferPointer) -> Bool {
        guard bytes.count <= Self.valueMax else { return overLimit() }
        return match(pattern, bytes)
    }

    /// The same, for bytes that come one at a time.
    func holds(_ pattern: Pattern, for bytes: PercentDecoding) -> Bool {
        var bytes = bytes
        var count = 0
        while let byte = bytes.next() {
            guard count < Self.valueMax else { return overLimit() }
            value[count] = byte
            count += 1
        }
        return match(pattern, UnsafeRawBufferPointer(rebasing: value[..<count]))
    }

    /// The same, for the small letters of the bytes.
    func holds(_ pattern: Pattern, forLowercased bytes: UnsafeRawBufferPointer) -> Bool {
        guard bytes.count <= Self.valueMax else { return overLimit() }
        for index in 0..<bytes.count { value[index] = bytes[index].lowercased }
        return match(pattern, UnsafeRawBufferPointer(rebasing: value[..<bytes.count]))
    }

    private func match(_ pattern: Pattern, _ bytes: UnsafeRawBufferPointer) -> Bool {
        guard let regex else { return overLimit() }
        let subject = UTF8Repair.isValid(bytes) ? bytes : UTF8Repair.repair(bytes, in: repaired)
        var steps = Self.stepsMin
        while steps <= stepsLeft {
            stepsLeft -= steps
            if let holds = pattern.matches(subject, regex, steps: steps) { return holds }
            guard steps < Self.stepsMax else { return overLimit() }
            steps = min(steps * Self.stepsGrowth, Self.stepsMax)
        }
        return overLimit()
    }

    private func overLimit() -> Bool {
        patternsOverLimit &+= 1
        return true
    }
}

@available(*, unavailable)
extension MatchScratch: Sendable {}
