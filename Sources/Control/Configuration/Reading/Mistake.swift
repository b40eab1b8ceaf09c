/// Something in the configuration file that cannot be, or, as a warning, is hardly meant.
package struct Mistake: Equatable, Sendable, CustomStringConvertible {
    package enum Severity: Equatable, Sendable {
        /// The configuration is refused.
        case error
        case warning
    }

    package let severity: Severity
    package let file: String
    /// From 1; nil where it concerns the file as a whole.
    package let place: Place?
    /// As `http.services.shop.loadBalancer.servers[1].url`; empty for the file as a whole.
    package let key: String
    /// What is wrong and what would be right; may have further lines that show it.
    package let message: String

    /// A position in the file, both counted from 1, columns in Unicode scalars.
    package struct Place: Comparable, Sendable {
        package let line: Int
        package let column: Int

        package static func < (lhs: Place, rhs: Place) -> Bool {
            (lhs.line, lhs.column) < (rhs.line, rhs.column)
        }
    }

    /// `file:line:column: key: message`
    package var description: String {
        var text = file
        if let place { text += ":\(place.line):\(place.column)" }
        if severity == .warning { text += ": warning" }
        if !key.isEmpty { text += ": \(key)" }
        return text + ": \(message)"
    }
}

/// All that is wrong with a configuration file, sorted by place; at least one is an error.
package struct ConfigurationRefusal: Error, Equatable, Sendable, CustomStringConvertible {
    package let mistakes: [Mistake]

    package var description: String { mistakes.map(\.description).joined(separator: "\n") }
}
