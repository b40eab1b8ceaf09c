import HTTPWire

/// The names of fields and cookies (RFC 9110, section 5.6.2).
enum Token {
    static let advice = "must be a token: letters, digits and !#$%&'*+-.^_`|~"

    static func isToken(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.allSatisfy(\.isToken)
    }
}
