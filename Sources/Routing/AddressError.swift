/// Why a text is no address.
package struct AddressError: Error, Equatable, Sendable, CustomStringConvertible {
    package let description: String

    /// What holds an `@` may hold a password, wherever that stands in it: such a text is not shown.
    package init(_ text: String, _ problem: String) {
        let shown = text.contains("@") ? "…@…" : Excerpt.of(text)
        description = "\"\(shown)\" \(problem)"
    }
}
