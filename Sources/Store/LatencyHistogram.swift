/// Durations in buckets whose bounds double, from 32 µs to 32.768 ms.
package struct LatencyHistogram: Sendable, Equatable {
    /// The upper bounds of the buckets, in microseconds. A last bucket holds everything above them.
    package static let bounds: [Int64] = (5...15).map { 1 << $0 }

    /// One more than there are bounds. Not cumulative.
    package private(set) var counts = [UInt64](repeating: 0, count: bounds.count + 1)
    /// The sum of all durations, in microseconds.
    package private(set) var sum: UInt64 = 0

    package init() {}

    package var count: UInt64 { counts.reduce(0, &+) }

    package mutating func record(microseconds: Int64) {
        let value = UInt64(max(0, microseconds))
        counts[Self.bucket(value)] &+= 1
        sum &+= value
    }

    package mutating func add(_ other: LatencyHistogram) {
        for (index, count) in other.counts.enumerated() { counts[index] &+= count }
        sum &+= other.sum
    }

    /// A duration equal to a bound belongs to the bucket below it.
    private static func bucket(_ value: UInt64) -> Int {
        guard value > 32 else { return 0 }
        return min(bounds.count, UInt64.bitWidth - (value - 1).leadingZeroBitCount - 5)
    }
}
