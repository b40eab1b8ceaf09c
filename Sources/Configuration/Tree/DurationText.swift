/// Durations in Go's notation (`1h15m`, `1.5s`, `500ms`), or whole numbers of seconds.
enum DurationText {
    private static let units: [(name: String, nanoseconds: Int64)] = [
        ("h", 3_600_000_000_000), ("m", 60_000_000_000), ("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1000),
        ("µs", 1000), ("μs", 1000), ("ns", 1),
    ]

    /// Nil for anything else, for negative durations, and for more than 64 bits of nanoseconds (292 years).
    static func read(_ text: String) -> Duration? {
        if let seconds = Int(decimal: text[...]) {
            return nanoseconds(Int64(seconds), of: 1_000_000_000).map(Duration.nanoseconds)
        }
        var rest = text[...]
        var sum: Int64 = 0
        repeat {
            guard let part = component(of: &rest) else { return nil }
            let (next, overflow) = sum.addingReportingOverflow(part)
            guard !overflow else { return nil }
            sum = next
        } while !rest.isEmpty
        return .nanoseconds(sum)
    }

    /// Consumes one number and its unit from the front.
    private static func component(of rest: inout Substring) -> Int64? {
        let number = rest.prefix { $0.isASCII && $0.isNumber || $0 == "." }
        rest = rest.dropFirst(number.count)
        let name = rest.prefix { $0.isLetter }
        rest = rest.dropFirst(name.count)
        guard let unit = units.first(where: { $0.name == name }) else { return nil }
        let parts = number.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        guard let whole = Int(decimal: parts[0]), let base = nanoseconds(Int64(whole), of: unit.nanoseconds) else {
            return nil
        }
        guard parts.count == 2 else { return base }
        guard let fraction = fraction(parts[1], of: unit.nanoseconds) else { return nil }
        let (sum, overflow) = base.addingReportingOverflow(fraction)
        return overflow ? nil : sum
    }

    private static func fraction(_ digits: Substring, of unit: Int64) -> Int64? {
        guard digits.count <= 12, Int(decimal: digits) != nil else { return nil }
        var (sum, place) = (Int64(0), unit)
        for digit in digits {
            place /= 10
            sum += place * Int64(digit.wholeNumberValue ?? 0)
        }
        return sum
    }

    private static func nanoseconds(_ count: Int64, of unit: Int64) -> Int64? {
        let (product, overflow) = count.multipliedReportingOverflow(by: unit)
        return overflow ? nil : product
    }

    /// Writes a duration in the largest unit that needs no fraction.
    static func write(_ duration: Duration) -> String {
        let (seconds, attoseconds) = duration.components
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        let nanoseconds = overflow ? Int64.max : product &+ attoseconds / 1_000_000_000
        let unit = units.first { nanoseconds % $0.nanoseconds == 0 && nanoseconds != 0 } ?? ("s", 1_000_000_000)
        return "\(nanoseconds / unit.nanoseconds)\(unit.name)"
    }
}
