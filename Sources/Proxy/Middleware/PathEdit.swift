import Routing

/// The changes that middlewares make to a request's path. The rest of the path stays as the client sent it.
enum PathEdit {
    /// The path after the first of the prefixes that it begins with, and that prefix as sent to the backend. Paths are
    /// compared as in rules: percent-decoded except for reserved characters, so that `%2F` is not a slash. The
    /// remaining path begins with a slash.
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

    /// The path after the prefix; `*` is not a path and stays unchanged.
    static func add(_ prefix: [UInt8], to path: UnsafeRawBufferPointer) -> [UInt8] {
        path.first == UInt8(ascii: "/") ? prefix + Array(path) : Array(path)
    }

    /// The text as valid path characters: other bytes are percent-encoded, existing escapes are kept.
    static func escaped(_ text: String) -> [UInt8] {
        Array(text.utf8).withUnsafeBytes { bytes in
            var result: [UInt8] = []
            for (index, byte) in bytes.enumerated() {
                let isEscape = byte == UInt8(ascii: "%") && escape(at: index, in: bytes) != nil
                if isEscape || isOfPath(byte) { result.append(byte) } else { result += PercentEscape.triple(byte) }
            }
            return result
        }
    }

    /// Appends a target, percent-encoding every byte that a recipient of a URI could misinterpret.
    static func appendSafely(_ bytes: UnsafeRawBufferPointer, to result: inout [UInt8]) {
        for byte in bytes {
            let isSafe = isOfPath(byte) || byte == UInt8(ascii: "%") || byte == UInt8(ascii: "?")
            if isSafe { result.append(byte) } else { result += PercentEscape.triple(byte) }
        }
    }

    /// The offset at which the prefix ends in the path; nil if the path does not begin with it.
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
                let triple = PercentEscape.triple(decoded)
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

    /// The byte that a percent sign and two hexadecimal digits encode.
    private static func escape(at index: Int, in bytes: UnsafeRawBufferPointer) -> UInt8? {
        guard index + 2 < bytes.count, bytes[index] == UInt8(ascii: "%"),
            let high = PercentEscape.digit(bytes[index + 1]),
            let low = PercentEscape.digit(bytes[index + 2])
        else { return nil }
        return high << 4 | low
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
