/// A value of a source, in whatever language the source is written: a tree that knows where everything stands.
struct SettingNode: Equatable, Sendable {
    enum Content: Equatable, Sendable {
        /// Nothing stands there; only YAML has that.
        case null
        /// A single value as it is meant: without quotation marks and escapes.
        case text(String)
        case mapping([Entry])
        case list([SettingNode])
    }

    /// A key of a mapping and what stands there.
    struct Entry: Equatable, Sendable {
        var key: String
        /// Where the key stands.
        var place: Diagnostic.Place?
        /// From the root and as it was written, where that is not the keys joined by dots.
        var path: String?
        var value: SettingNode
    }

    var content: Content
    /// Where it begins; nil in sources that have no lines.
    var place: Diagnostic.Place?

    init(_ content: Content, at place: Diagnostic.Place? = nil) {
        self.content = content
        self.place = place
    }

    /// In a word, for people.
    var kind: String {
        switch content {
        case .null: "empty"
        case .text: "a single value"
        case .mapping: "a mapping"
        case .list: "a list"
        }
    }
}
