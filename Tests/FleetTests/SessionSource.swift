import Testing

/// Where the sessions of a test have their keys: the settings under `sticky`, and what clients send.
enum SessionSource: String, Sendable, CaseIterable, CustomTestStringConvertible {
    /// Clients choose their keys, which are in a field.
    case header
    /// Clients choose them, and they are in a cookie.
    case appCookie
    /// Backends issue them.
    case learn

    var testDescription: String { rawValue }

    /// The settings under `sticky`.
    var settings: String {
        switch self {
        case .header: "header: X-Session-ID"
        case .appCookie: "appCookie: { name: APPID, learn: false }"
        case .learn: "header: { name: Mcp-Session-Id, learn: true }"
        }
    }

    /// The field line with which a client presents this key.
    func line(_ key: String) -> String {
        switch self {
        case .header: "X-Session-ID: \(key)"
        case .appCookie: "Cookie: theme=dark; APPID=\(key)"
        case .learn: "Mcp-Session-Id: \(key)"
        }
    }

    /// The field of a response in which backends issue keys; nil if they do not.
    var issuingField: String? { self == .learn ? "Mcp-Session-Id" : nil }
}
