/// A problem in the configuration: an error, or a warning about something allowed that is probably a mistake.
package struct Diagnostic: Equatable, Sendable, CustomStringConvertible {
    package enum Severity: Equatable, Sendable {
        /// Refuses a file and all others with it; leaves out a container.
        case error
        case warning
    }

    /// The source that has the problem.
    package enum Source: Hashable, Sendable, CustomStringConvertible {
        /// A file, by its path as given.
        case file(String)
        /// A container, by its name.
        case container(String)

        package var description: String {
            switch self {
            case .file(let path): path
            case .container(let name): "container \(name)"
            }
        }
    }

    /// What messages contain about features that only Traefik, or a later version, has.
    static let unavailable = "not available in this version"

    package let severity: Severity
    package let source: Source
    /// Counted from 1. Nil if the diagnostic concerns the source as a whole, and for labels, which have no lines.
    package let place: Place?
    /// For example `http.services.shop.loadBalancer.servers[1].url`; a label as written; empty for the source as a
    /// whole.
    package let key: String
    /// What is wrong and how to correct it; may have further lines that show the place.
    package let message: String

    /// A position in a file; line and column count from 1, columns in Unicode scalars.
    package struct Place: Comparable, Sendable {
        package let line: Int
        package let column: Int

        package static func < (lhs: Place, rhs: Place) -> Bool {
            (lhs.line, lhs.column) < (rhs.line, rhs.column)
        }
    }

    package init(severity: Severity, source: Source, place: Place?, key: String, message: String) {
        self.severity = severity
        self.source = source
        self.place = place
        self.key = key
        self.message = message
    }

    /// `file:line:column: key: message`, or `container name: label: message`, escaped for a terminal.
    package var description: String {
        var text = EscapedText.line(source.description)
        if let place { text += ":\(place.line):\(place.column)" }
        if severity == .warning { text += ": warning" }
        if !key.isEmpty { text += ": \(EscapedText.line(key))" }
        return text + ": \(message)"
    }
}

/// All diagnostics of the configuration files, file by file and sorted by position; at least one is an error.
package struct ConfigurationRefusal: Error, Equatable, Sendable, CustomStringConvertible {
    package let diagnostics: [Diagnostic]

    package var description: String { diagnostics.map(\.description).joined(separator: "\n") }
}
