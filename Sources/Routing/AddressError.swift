/// Why a text is no address.
package struct AddressError: Error, Equatable, Sendable, CustomStringConvertible {
    package let description: String

    package init(_ text: String, _ problem: String) {
        description = "\"\(text)\" \(problem)"
    }
}
