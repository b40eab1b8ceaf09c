/// A configuration file as it was read.
package struct SourceText: Equatable, Sendable {
    package enum Format: Equatable, Sendable {
        case yaml, toml

        /// Chosen by the file's extension; YAML unless it is `.toml`.
        package init(path: String) {
            self = path.lowercased().hasSuffix(".toml") ? .toml : .yaml
        }
    }

    package enum Role: Equatable, Sendable {
        /// The file that `--config` names. It holds `http` of the dynamic part, among other sections.
        case main
        /// A file of the file provider. It holds only the dynamic part.
        case dynamic
    }

    /// The path as given, used in diagnostics.
    package var name: String
    package var text: String
    package var format: Format
    package var role: Role

    package init(name: String, text: String, role: Role) {
        self.name = name
        self.text = text
        format = Format(path: name)
        self.role = role
    }
}
