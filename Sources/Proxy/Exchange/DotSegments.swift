/// Path segments `.` and `..` (RFC 3986, section 5.2.4). Rules match them literally, but a backend may remove them and
/// serve another path than the one routed.
enum DotSegments {
    /// Whether the path has such a segment, percent-encoded or not. An escaped slash, a backslash and a `;` also end a
    /// segment, as they do for some backends.
    static func occur(in path: UnsafeRawBufferPointer) -> Bool {
        // The number of dots since the segment began; -1 once another byte appeared.
        var dots = 0
        var index = 0
        while index < path.count {
            var byte = path[index]
            index += 1
            if byte == UInt8(ascii: "%"), let decoded = escaped(path, at: index) {
                byte = decoded
                index += 2
            }
            switch byte {
            case UInt8(ascii: "/"), UInt8(ascii: "\\"):
                if dots == 1 || dots == 2 { return true }
                dots = 0
            case UInt8(ascii: ";"):
                if dots == 1 || dots == 2 { return true }
                dots = -1
            case UInt8(ascii: "."):
                if dots >= 0 { dots += 1 }
            default:
                dots = -1
            }
        }
        return dots == 1 || dots == 2
    }

    /// Decodes the two hexadecimal digits at `index` if they encode a dot, a slash, a backslash or a semicolon;
    /// otherwise nil.
    private static func escaped(_ path: UnsafeRawBufferPointer, at index: Int) -> UInt8? {
        guard index + 2 <= path.count else { return nil }
        switch (path[index], path[index + 1] | 0x20) {
        case (UInt8(ascii: "2"), UInt8(ascii: "e")): return UInt8(ascii: ".")
        case (UInt8(ascii: "2"), UInt8(ascii: "f")): return UInt8(ascii: "/")
        case (UInt8(ascii: "5"), UInt8(ascii: "c")): return UInt8(ascii: "\\")
        case (UInt8(ascii: "3"), UInt8(ascii: "b")): return UInt8(ascii: ";")
        default: return nil
        }
    }
}
