/// A value of a source, independent of the source's language: a tree that knows the position of every part.
struct SettingNode: Equatable, Sendable {
    enum Content: Equatable, Sendable {
        /// An empty value; only YAML has it.
        case null
        /// A single value after parsing: without quotation marks and escapes.
        case text(String)
        case mapping([Entry])
        case list([SettingNode])
    }

    /// A key of a mapping and its value.
    struct Entry: Equatable, Sendable {
        var key: String
        /// The position of the key.
        var place: Diagnostic.Place?
        /// The path from the root as written, if it is not the keys joined by dots.
        var path: String?
        var value: SettingNode
    }

    var content: Content
    /// Where the value begins; nil in sources without lines.
    var place: Diagnostic.Place?

    init(_ content: Content, at place: Diagnostic.Place? = nil) {
        self.content = content
        self.place = place
    }

    /// The kind in one word, for people.
    var kind: String {
        switch content {
        case .null: "empty"
        case .text: "a single value"
        case .mapping: "a mapping"
        case .list: "a list"
        }
    }
}
