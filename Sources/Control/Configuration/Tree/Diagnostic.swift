/// Something in the configuration that is wrong, or, as a warning, probably not meant.
package struct Diagnostic: Equatable, Sendable, CustomStringConvertible {
    package enum Severity: Equatable, Sendable {
        /// A file is refused with all others; a container is left out.
        case error
        case warning
    }

    /// Who says it.
    package enum Source: Hashable, Sendable, CustomStringConvertible {
        /// By its path, as it was given.
        case file(String)
        /// By its name.
        case container(String)

        package var description: String {
            switch self {
            case .file(let path): path
            case .container(let name): "container \(name)"
            }
        }
    }

    /// How messages about what only Traefik, or a later version, has end.
    static let unavailable = "is not available in this version"

    package let severity: Severity
    package let source: Source
    /// From 1; nil where it concerns the source as a whole, and in labels, which have no lines.
    package let place: Place?
    /// As `http.services.shop.loadBalancer.servers[1].url`, a label as it is written; empty for the source as a whole.
    package let key: String
    /// What is wrong and what would be right; may have further lines that show it.
    package let message: String

    /// A position in a file, both counted from 1, columns in Unicode scalars.
    package struct Place: Comparable, Sendable {
        package let line: Int
        package let column: Int

        package static func < (lhs: Place, rhs: Place) -> Bool {
            (lhs.line, lhs.column) < (rhs.line, rhs.column)
        }
    }

    /// `file:line:column: key: message`, or `container name: label: message`; text in which nothing acts.
    package var description: String {
        var text = EscapedText.line(source.description)
        if let place { text += ":\(place.line):\(place.column)" }
        if severity == .warning { text += ": warning" }
        if !key.isEmpty { text += ": \(EscapedText.line(key))" }
        return text + ": \(message)"
    }
}

/// All that is wrong with the configuration files, file by file and sorted by place; at least one is an error.
package struct ConfigurationRefusal: Error, Equatable, Sendable, CustomStringConvertible {
    package let diagnostics: [Diagnostic]

    package var description: String { diagnostics.map(\.description).joined(separator: "\n") }
}
