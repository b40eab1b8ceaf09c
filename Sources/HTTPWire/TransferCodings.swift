/// The value of a Transfer-Encoding field that is not `chunked` alone.
enum TransferCodings {
    /// Whether it is a plain list of tokens that ends in `chunked` and has it nowhere else: then the body has one end,
    /// and only what is in it is not understood (RFC 9112 §6.1). Parameters and empty elements are not looked into.
    static func endInChunked(_ value: UnsafeRawBufferPointer) -> Bool {
        var commas = 0
        for byte in value where byte == UInt8(ascii: ",") { commas &+= 1 }
        var elements = ListElements(of: 0..<value.count, in: value)
        var count = 0
        var endsInChunked = false
        while let range = elements.next() {
            if endsInChunked { return false }
            let coding = UnsafeRawBufferPointer(rebasing: value[range])
            for byte in coding where !byte.isToken { return false }
            endsInChunked = CaseInsensitive.equal(coding, "chunked")
            count &+= 1
        }
        return endsInChunked && count == commas &+ 1
    }
}
