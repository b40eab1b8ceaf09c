import Routing

/// What middlewares do to the path of a request, which stays as it was sent but for that.
enum PathEdit {
    /// The path behind the first of the prefixes that it begins with, and how that prefix is told the backend. Compared
    /// as rules compare: percent-decoded but for the characters that mean something to a path, so that `%2F` is no
    /// slash. What is left begins with a slash.
    static func strip(
        _ prefixes: [(path: [UInt8], told: [UInt8])], from path: UnsafeRawBufferPointer
    ) -> (path: [UInt8], told: [UInt8])? {
        guard path.first == UInt8(ascii: "/") else { return nil }
        for prefix in prefixes {
            guard let end = end(of: prefix.path, in: path) else { continue }
            let rest = Array(path[end...])
            return (rest.first == UInt8(ascii: "/") ? rest : [UInt8(ascii: "/")] + rest, prefix.told)
        }
        return nil
    }

    /// The path behind a prefix; `*` is no path and stays.
    static func add(_ prefix: [UInt8], to path: UnsafeRawBufferPointer) -> [UInt8] {
        path.first == UInt8(ascii: "/") ? prefix + Array(path) : Array(path)
    }

    /// The text as it may stand in a path: what has no place there is percent-encoded, escapes that are there stay.
    static func escaped(_ text: String) -> [UInt8] {
        Array(text.utf8).withUnsafeBytes { bytes in
            var result: [UInt8] = []
            for (index, byte) in bytes.enumerated() {
                let isEscape = byte == UInt8(ascii: "%") && escape(at: index, in: bytes) != nil
                if isEscape || isOfPath(byte) { result.append(byte) } else { result += triple(byte) }
            }
            return result
        }
    }

    /// Bytes of a target that no recipient of a URI can take for anything but themselves, and escapes of the others.
    static func appendSafely(_ bytes: UnsafeRawBufferPointer, to result: inout [UInt8]) {
        for byte in bytes {
            let isSafe = isOfPath(byte) || byte == UInt8(ascii: "%") || byte == UInt8(ascii: "?")
            if isSafe { result.append(byte) } else { result += triple(byte) }
        }
    }

    /// Where the prefix ends in the path; nil where the path begins otherwise.
    private static func end(of prefix: [UInt8], in path: UnsafeRawBufferPointer) -> Int? {
        var index = 0
        var wanted = 0
        while wanted < prefix.count {
            guard index < path.count else { return nil }
            guard let decoded = escape(at: index, in: path) else {
                guard path[index] == prefix[wanted] else { return nil }
                (index, wanted) = (index + 1, wanted + 1)
                continue
            }
            if PercentEscape.isReserved(decoded) {
                let triple = triple(decoded)
                guard prefix[wanted...].starts(with: triple) else { return nil }
                wanted += triple.count
            } else {
                guard decoded == prefix[wanted] else { return nil }
                wanted += 1
            }
            index += 3
        }
        return index
    }

    /// What a percent sign and two digits stand for.
    private static func escape(at index: Int, in bytes: UnsafeRawBufferPointer) -> UInt8? {
        guard index + 2 < bytes.count, bytes[index] == UInt8(ascii: "%"),
            let high = PercentEscape.digit(bytes[index + 1]),
            let low = PercentEscape.digit(bytes[index + 2])
        else { return nil }
        return high << 4 | low
    }

    private static func triple(_ byte: UInt8) -> [UInt8] {
        let digits = Array("0123456789ABCDEF".utf8)
        return [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
    }

    /// RFC 3986, section 3.3: pchar without the percent sign, and the slash.
    private static func isOfPath(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "A")...UInt8(ascii: "Z"):
            true
        default: Array("-._~!$&'()*+,;=:@/".utf8).contains(byte)
        }
    }
}
