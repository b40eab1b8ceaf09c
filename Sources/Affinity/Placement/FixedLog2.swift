/// Base-2 logarithms in 32.32 fixed point, by integer arithmetic alone: replicas on different hosts must agree to the
/// last bit, and the math libraries of different hosts do not.
enum FixedLog2 {
    static let one: UInt64 = 1 << 32

    /// log2(1 + i/256) for i in 0...256, rounded down.
    static let table: [UInt64] = (0..<256).map { fraction(of: UInt64(256 + $0) << 55) } + [one]

    /// log2 of `value`, rounded down, interpolated linearly between the points of the table (error below 3 in a
    /// million). 0 yields 0, like 1.
    static func of(_ value: UInt64) -> UInt64 {
        let zeros = value.leadingZeroBitCount
        guard zeros < 64 else { return 0 }
        let mantissa = value &<< UInt64(zeros)
        let index = Int(truncatingIfNeeded: mantissa &>> 55 & 0xFF)
        let between = mantissa &>> 23 & 0xFFFF_FFFF
        let low = table[index]
        let step = (table[index + 1] &- table[index]) &* between
        return UInt64(63 - zeros) &<< 32 &+ low &+ step &>> 32
    }

    /// The first 32 binary digits of log2(x), for x in [1, 2) given with 63 fractional bits: squaring x doubles its
    /// logarithm, and a square of 2 or more yields a one.
    private static func fraction(of x: UInt64) -> UInt64 {
        var x = x
        var digits: UInt64 = 0
        for _ in 0..<32 {
            let square = x.multipliedFullWidth(by: x).high
            digits <<= 1
            if square >= 1 << 63 {
                digits |= 1
                x = square
            } else {
                x = square << 1
            }
        }
        return digits
    }
}
