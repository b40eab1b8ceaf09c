/// Reads DER (ITU-T X.690): the encoding of certificates. It never reads past its bytes; what is malformed is nil.
struct DERReader {
    /// An element: tag, and content.
    struct Element: Equatable {
        let tag: UInt8
        let content: ArraySlice<UInt8>

        /// The elements of a sequence or set; nil if they are malformed.
        var children: [Element]? {
            var reader = DERReader(content)
            var children: [Element] = []
            while !reader.rest.isEmpty {
                guard let child = reader.next() else { return nil }
                children.append(child)
            }
            return children
        }

        /// An object identifier in dotted form.
        var objectIdentifier: String? {
            guard tag == 0x06, !content.isEmpty else { return nil }
            var parts: [UInt64] = []
            var value: UInt64 = 0
            for byte in content {
                guard value < 1 << 56 else { return nil }
                value = value << 7 | UInt64(byte & 0x7F)
                guard byte & 0x80 == 0 else { continue }
                if parts.isEmpty {
                    let first = min(value / 40, 2)
                    parts = [first, value - first * 40]
                } else {
                    parts.append(value)
                }
                value = 0
            }
            return parts.map(String.init).joined(separator: ".")
        }
    }

    private(set) var rest: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

    /// Tags above 30 do not occur in certificates.
    mutating func next() -> Element? {
        guard rest.count >= 2, let tag = rest.first, tag & 0x1F != 0x1F else { return nil }
        var bytes = rest.dropFirst()
        let first = bytes.removeFirst()
        var length = Int(first)
        if first & 0x80 != 0 {
            let count = Int(first & 0x7F)
            guard (1...4).contains(count), bytes.count >= count else { return nil }
            length = bytes.prefix(count).reduce(0) { $0 << 8 | Int($1) }
            bytes = bytes.dropFirst(count)
        }
        guard bytes.count >= length else { return nil }
        rest = bytes.dropFirst(length)
        return Element(tag: tag, content: bytes.prefix(length))
    }
}
