/// The value of a Transfer-Encoding field other than plain `chunked`.
enum TransferCodings {
    /// Whether the value is a plain list of tokens with `chunked` at the end and nowhere else. The body then has a
    /// defined end, and only its coding is unknown (RFC 9112 §6.1). Values with parameters or empty elements do not
    /// qualify.
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
