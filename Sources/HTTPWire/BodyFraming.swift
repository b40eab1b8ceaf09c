/// How the end of a message's body is found (RFC 9112 §6.3).
package enum BodyFraming: Equatable, Sendable {
    /// No body, and no field that announces one, or a field that has no effect, as in the response to HEAD.
    case none
    /// Exactly this many bytes; below 2^63. May be 0.
    case length(UInt64)
    case chunked
    /// Everything until the peer closes; responses only.
    case untilClose

    /// Whether at least one body byte or chunk line must follow the head, or may until the connection closes.
    package var hasBody: Bool {
        switch self {
        case .none: false
        case .length(let length): length > 0
        case .chunked, .untilClose: true
        }
    }

    // Comparing with `==` from another module calls a witness that the optimiser does not see through.

    package var isChunked: Bool {
        if case .chunked = self { true } else { false }
    }

    /// Whether the body ends with the connection.
    package var endsWithConnection: Bool {
        if case .untilClose = self { true } else { false }
    }
}
