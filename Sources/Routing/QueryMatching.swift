/// Looks for a parameter in a query, in place.
enum QueryMatching {
    /// Whether any parameter of this name has exactly this value. A parameter without `=` has the empty value. As in
    /// Traefik, `;` separates parameters as `&` does.
    static func hasParameter(
        _ query: UnsafeRawBufferPointer, named name: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer
    ) -> Bool {
        var start = 0
        while start <= query.count {
            let rest = query[start...]
            let end = rest.firstIndex { $0 == UInt8(ascii: "&") || $0 == UInt8(ascii: ";") } ?? query.count
            if isParameter(UnsafeRawBufferPointer(rebasing: query[start..<end]), named: name, value: value) {
                return true
            }
            start = end + 1
        }
        return false
    }

    private static func isParameter(
        _ parameter: UnsafeRawBufferPointer, named name: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer
    ) -> Bool {
        let equals = parameter.firstIndex(of: UInt8(ascii: "=")) ?? parameter.count
        let valueStart = min(equals + 1, parameter.count)
        return PercentDecoding.matches(UnsafeRawBufferPointer(rebasing: parameter[..<equals]), .query, name)
            && PercentDecoding.matches(UnsafeRawBufferPointer(rebasing: parameter[valueStart...]), .query, value)
    }
}
