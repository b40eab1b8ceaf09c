/// Searches for a parameter in a query, in place.
enum QueryMatching {
    /// Whether `isWanted` returns true for the value of any parameter of this name. A parameter without `=` has the
    /// empty value. As in Traefik, `;` separates parameters just as `&` does, and a parameter with an invalid escape is
    /// ignored.
    static func hasParameter(
        _ query: UnsafeRawBufferPointer, named name: UnsafeRawBufferPointer, where isWanted: (PercentDecoding) -> Bool
    ) -> Bool {
        var start = 0
        while start <= query.count {
            let rest = query[start...]
            let end = rest.firstIndex { $0 == UInt8(ascii: "&") || $0 == UInt8(ascii: ";") } ?? query.count
            let parameter = UnsafeRawBufferPointer(rebasing: query[start..<end])
            if let value = value(of: parameter, named: name), isWanted(value) { return true }
            start = end + 1
        }
        return false
    }

    private static func value(
        of parameter: UnsafeRawBufferPointer, named name: UnsafeRawBufferPointer
    ) -> PercentDecoding? {
        let equals = parameter.firstIndex(of: UInt8(ascii: "=")) ?? parameter.count
        let found = UnsafeRawBufferPointer(rebasing: parameter[..<equals])
        guard PercentDecoding.matches(found, .query, name), PercentEscape.areSound(in: parameter) else { return nil }
        let valueStart = min(equals + 1, parameter.count)
        return PercentDecoding(UnsafeRawBufferPointer(rebasing: parameter[valueStart...]), .query)
    }
}
