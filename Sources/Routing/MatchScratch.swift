import CLimpetRegex

/// The memory and the counters that one event loop needs to match patterns. Allocated once.
package final class MatchScratch {
    /// The maximum size of a decoded value that a pattern is matched with, in bytes. A longer value is over the limit.
    static let valueMax = 8192
    /// The maximum number of steps for one value.
    static let stepsMax: UInt32 = 100_000
    /// The maximum number of steps for all values of one request: a client chooses how many values there are.
    static let requestStepsMax: UInt32 = 500_000
    /// The steps allowed at first, and the factor by which each retry raises them. PCRE2 does not report how many steps
    /// a match took, so a match is charged the steps it was allowed, which is not much more.
    private static let (stepsMin, stepsGrowth): (UInt32, UInt32) = (100, 4)

    /// How often a pattern exceeded a limit: too many steps, too much memory, too long a value or too many values.
    package private(set) var patternsOverLimit: UInt64 = 0

    private var stepsLeft = requestStepsMax
    /// Nil without memory; every match is then over the limit.
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

    /// Resets the budget for another request.
    func beginRequest() { stepsLeft = Self.requestStepsMax }

    /// Whether the pattern matches anywhere in the bytes, unchanged. If a limit is exceeded, that is counted and the
    /// result is true, so that no further value is tried.
    func holds(_ pattern: Pattern, for bytes: UnsafeRawBufferPointer) -> Bool {
        guard bytes.count <= Self.valueMax else { return overLimit() }
        return match(pattern, bytes)
    }

    /// The same, for bytes that are decoded one at a time.
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

    /// The same, for the bytes in lower case.
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
