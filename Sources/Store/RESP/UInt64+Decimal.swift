extension UInt64 {
    /// Parses decimal digits. Nil for anything else: a sign, leading zeros, a number beyond the largest.
    init?(decimal text: UnsafeRawBufferPointer) {
        let count = text.count
        guard count >= 1, count <= 20, count == 1 || text[0] != UInt8(ascii: "0") else { return nil }
        self = 0
        for index in 0..<count {
            let digit = UInt64(text[index] &- UInt8(ascii: "0"))
            guard digit <= 9 else { return nil }
            // Nineteen digits always fit.
            guard index == 19 else {
                self = self &* 10 &+ digit
                continue
            }
            let (product, isTooLarge) = multipliedReportingOverflow(by: 10)
            let (sum, isOver) = product.addingReportingOverflow(digit)
            guard !isTooLarge, !isOver else { return nil }
            self = sum
        }
    }
}
