import HTTPWire

/// The syntax of header and cookie names (RFC 9110, section 5.6.2).
enum Token {
    static let advice = "must be a token: letters, digits and !#$%&'*+-.^_`|~"

    static func isToken(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.allSatisfy(\.isToken)
    }
}
