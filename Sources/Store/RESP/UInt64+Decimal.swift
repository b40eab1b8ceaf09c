extension UInt64 {
    /// Parses decimal digits. Nil for anything else: a sign, leading zeros, a number beyond the largest.
    init?(decimal text: Slice<UnsafeRawBufferPointer>) {
        guard (1...20).contains(text.count), text.count == 1 || text.first != UInt8(ascii: "0") else { return nil }
        self = 0
        for byte in text {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
            let (product, isTooLarge) = multipliedReportingOverflow(by: 10)
            let (sum, isOver) = product.addingReportingOverflow(UInt64(byte - UInt8(ascii: "0")))
            guard !isTooLarge, !isOver else { return nil }
            self = sum
        }
    }
}
