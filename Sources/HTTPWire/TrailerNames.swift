/// The fields that must not be in a trailer section (RFC 9110 §6.5.1): those that frame, route, authenticate, control
/// or describe the message. A recipient that merges trailers into the head would interpret the message differently than
/// we did.
enum TrailerNames {
    /// Whether a field of this name is omitted.
    static func isForbidden(_ known: FieldName, _ name: UnsafeRawBufferPointer, mayBeAlias: Bool) -> Bool {
        switch known {
        case .server: false
        case .other: isListed(name) || (mayBeAlias && isAlias(name))
        default: true
        }
    }

    private static func isListed(_ name: UnsafeRawBufferPointer) -> Bool {
        forbidden.contains { CaseInsensitive.equal(name, $0) }
    }

    private static func isAlias(_ name: UnsafeRawBufferPointer) -> Bool {
        name.baseAddress.map { FieldName.isAlias($0, count: name.count) } ?? false
    }

    /// Forbidden names that have no `FieldName`, in lower case: request modifiers, authentication, cache and response
    /// control.
    private static let forbidden: [StaticString] = [
        "cache-control", "max-forwards", "pragma", "range", "if-match", "if-none-match", "if-modified-since",
        "if-unmodified-since", "if-range", "www-authenticate", "age", "expires", "location", "retry-after", "vary",
        "warning", "content-location",
    ]
}
