/// A configuration file as it was read.
package struct SourceText: Equatable, Sendable {
    package enum Format: Equatable, Sendable {
        case yaml, toml

        /// By the file's extension; without one that says otherwise, YAML.
        package init(path: String) {
            self = path.lowercased().hasSuffix(".toml") ? .toml : .yaml
        }
    }

    package enum Role: Equatable, Sendable {
        /// The one that `--config` names: of the dynamic part it holds `http`, among much else.
        case main
        /// One that the file provider names: it holds the dynamic part alone.
        case dynamic
    }

    /// The path, as it was given: what mistakes call it.
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
