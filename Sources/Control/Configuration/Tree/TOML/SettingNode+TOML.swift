extension SettingNode {
    /// The tree of a TOML 1.0 text. Numbers, booleans and times are texts, as they are written (numbers without
    /// underscores and in decimal). What is no TOML, or holds a key twice, has no tree: that is recorded.
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

/// Why a text is no TOML, and where.
struct TOMLError: Error, Equatable {
    let message: String
    let place: Diagnostic.Place
}

/// The tables that are written under one name with double brackets.
final class TOMLTables {
    var elements: [TOMLTable]

    init(_ first: TOMLTable) {
        elements = [first]
    }
}

/// A table while it is read: later lines may add to it.
final class TOMLTable {
    /// Who has begun it decides who may add to it (TOML 1.0, sections "Table" and "Inline Table").
    enum Origin {
        /// A header of a table inside it.
        case implied
        case header
        case dottedKey
        case inline
    }

    enum Value {
        case node(SettingNode)
        case table(TOMLTable)
        /// Written with double brackets.
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

    /// - Precondition: the key is not there yet.
    func add(_ key: String, at place: Diagnostic.Place, _ value: Value) {
        indices[key] = entries.count
        entries.append(Entry(key: key, place: place, value: value))
    }

    /// Where the key stands that is there already.
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
