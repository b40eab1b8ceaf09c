extension SettingNode {
    /// The tree of a TOML 1.0 text. Numbers, booleans and times are texts, as written (numbers in decimal and without
    /// underscores). Invalid TOML, or a duplicate key, is reported and gives nil.
    init?(toml: String, _ diagnostics: Diagnostics) {
        var parser = TOMLParser(toml)
        do throws(TOMLError) {
            self = try parser.document().node
        } catch {
            diagnostics.add("is not valid TOML: \(error.message)", at: error.place, key: "")
            return nil
        }
    }
}

/// Why a text is not TOML, and where.
struct TOMLError: Error, Equatable {
    let message: String
    let place: Diagnostic.Place
}

/// An array of tables: all tables written under one name in double brackets.
final class TOMLTables {
    var elements: [TOMLTable]

    init(_ first: TOMLTable) {
        elements = [first]
    }
}

/// A table while it is read: later lines may add to it.
final class TOMLTable {
    /// How a table was begun decides how it may be extended (TOML 1.0, sections "Table" and "Inline Table").
    enum Origin {
        /// By the header of a table inside it.
        case implied
        case header
        case dottedKey
        case inline
    }

    enum Value {
        case node(SettingNode)
        case table(TOMLTable)
        /// An array of tables, written in double brackets.
        case tables(TOMLTables)
    }

    private struct Entry {
        let key: String
        let place: Diagnostic.Place
        let value: Value
    }

    var origin: Origin
    private let place: Diagnostic.Place
    private var entries: [Entry] = []
    private var indices: [String: Int] = [:]

    init(_ origin: Origin, at place: Diagnostic.Place) {
        self.origin = origin
        self.place = place
    }

    subscript(_ key: String) -> Value? { indices[key].map { entries[$0].value } }

    /// - Precondition: the key is not present yet.
    func add(_ key: String, at place: Diagnostic.Place, _ value: Value) {
        indices[key] = entries.count
        entries.append(Entry(key: key, place: place, value: value))
    }

    /// The position of a key that is present.
    func place(of key: String) -> Diagnostic.Place? { indices[key].map { entries[$0].place } }

    var node: SettingNode {
        let entries = entries.map { entry in
            let value: SettingNode =
                switch entry.value {
                case .node(let node): node
                case .table(let table): table.node
                case .tables(let tables): SettingNode(.list(tables.elements.map(\.node)), at: entry.place)
                }
            return SettingNode.Entry(key: entry.key, place: entry.place, value: value)
        }
        return SettingNode(.mapping(entries), at: place)
    }
}
