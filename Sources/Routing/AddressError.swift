/// Why a text is not an address.
package struct AddressError: Error, Equatable, Sendable, CustomStringConvertible {
    package let description: String

    /// A text that contains an `@` may contain a password, in any position: such a text is not shown.
    package init(_ text: String, _ problem: String) {
        let shown = text.contains("@") ? "…@…" : Excerpt.of(text)
        description = "\"\(shown)\" \(problem)"
    }
}
