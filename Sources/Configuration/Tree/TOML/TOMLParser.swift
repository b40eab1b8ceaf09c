import Routing

/// A strict TOML 1.0 parser that keeps the position of every key and value.
struct TOMLParser {
    /// The limit for nested arrays and inline tables, and for the parts of a dotted key, because nested values are
    /// walked by recursion.
    static let depthMax = 64

    var scanner: TOMLScanner

    init(_ text: String) {
        scanner = TOMLScanner(text)
    }

    mutating func document() throws(TOMLError) -> TOMLTable {
        let root = TOMLTable(.header, at: scanner.here())
        var current = root
        while true {
            try scanner.skipBlankLines()
            guard let byte = scanner.peek else { return root }
            if byte == UInt8(ascii: "[") {
                current = try header(in: root)
            } else {
                try pair(in: current, depth: 0)
            }
            try scanner.endLine()
        }
    }

    // MARK: Tables

    /// `[a.b]` or `[[a.b]]`.
    private mutating func header(in root: TOMLTable) throws(TOMLError) -> TOMLTable {
        let place = scanner.here()
        _ = scanner.take("[")
        let isArray = scanner.take("[")
        let path = try keyPath()
        guard scanner.take("]"), !isArray || scanner.take("]") else {
            throw scanner.error("expected \(isArray ? "]]" : "]") after the table name")
        }
        var table = root
        for key in path.dropLast() { table = try parent(key, in: table) }
        guard let last = path.last else { return table }
        return isArray ? try appended(last, in: table, place) : try opened(last, in: table, place)
    }

    private func parent(_ key: TOMLScanner.Key, in table: TOMLTable) throws(TOMLError) -> TOMLTable {
        switch table[key.name] {
        case nil:
            let inner = TOMLTable(.implied, at: key.place)
            table.add(key.name, at: key.place, .table(inner))
            return inner
        case .table(let inner) where inner.origin != .inline: return inner
        case .tables(let tables):
            guard let last = tables.elements.last else { throw twice(key, in: table) }
            return last
        case .table, .node: throw twice(key, in: table)
        }
    }

    private func opened(
        _ key: TOMLScanner.Key, in table: TOMLTable, _ place: Diagnostic.Place
    ) throws(TOMLError) -> TOMLTable {
        switch table[key.name] {
        case nil:
            let inner = TOMLTable(.header, at: place)
            table.add(key.name, at: key.place, .table(inner))
            return inner
        case .table(let inner) where inner.origin == .implied:
            inner.origin = .header
            return inner
        default: throw twice(key, in: table)
        }
    }

    private func appended(
        _ key: TOMLScanner.Key, in table: TOMLTable, _ place: Diagnostic.Place
    ) throws(TOMLError) -> TOMLTable {
        let inner = TOMLTable(.header, at: place)
        switch table[key.name] {
        case nil: table.add(key.name, at: key.place, .tables(TOMLTables(inner)))
        case .tables(let tables): tables.elements.append(inner)
        default: throw twice(key, in: table)
        }
        return inner
    }

    private func twice(_ key: TOMLScanner.Key, in table: TOMLTable) -> TOMLError {
        let line = table.place(of: key.name).map { " in line \($0.line)" } ?? ""
        return TOMLError(message: "\"\(Excerpt.of(key.name))\" is already defined\(line)", place: key.place)
    }

    // MARK: Keys and values

    /// `a.b = value`.
    private mutating func pair(in table: TOMLTable, depth: Int) throws(TOMLError) {
        let path = try keyPath()
        guard scanner.take("=") else { throw scanner.error("expected = after the key") }
        scanner.skipBlanks()
        var table = table
        for key in path.dropLast() {
            switch table[key.name] {
            case nil:
                let inner = TOMLTable(.dottedKey, at: key.place)
                table.add(key.name, at: key.place, .table(inner))
                table = inner
            case .table(let inner) where inner.origin == .dottedKey || inner.origin == .implied:
                inner.origin = .dottedKey
                table = inner
            default: throw twice(key, in: table)
            }
        }
        guard let last = path.last else { return }
        guard table[last.name] == nil else { throw twice(last, in: table) }
        table.add(last.name, at: last.place, try value(depth: depth + path.count))
    }

    private mutating func keyPath() throws(TOMLError) -> [TOMLScanner.Key] {
        var path: [TOMLScanner.Key] = []
        repeat {
            scanner.skipBlanks()
            path.append(try scanner.key())
            scanner.skipBlanks()
            guard path.count <= Self.depthMax else { throw tooDeep() }
        } while scanner.take(".")
        return path
    }

    private mutating func value(depth: Int) throws(TOMLError) -> TOMLTable.Value {
        guard depth <= Self.depthMax else { throw tooDeep() }
        let place = scanner.here()
        switch scanner.peek {
        case UInt8(ascii: "["): return .node(SettingNode(.list(try array(depth: depth)), at: place))
        case UInt8(ascii: "{"): return .table(try inlineTable(depth: depth))
        case UInt8(ascii: "\""), UInt8(ascii: "'"): return .node(SettingNode(.text(try scanner.string()), at: place))
        default: return .node(SettingNode(.text(try TOMLLiteral.read(try scanner.word(), place)), at: place))
        }
    }

    private mutating func array(depth: Int) throws(TOMLError) -> [SettingNode] {
        _ = scanner.take("[")
        var elements: [SettingNode] = []
        while true {
            try scanner.skipBlankLines()
            if scanner.take("]") { return elements }
            switch try value(depth: depth + 1) {
            case .node(let node): elements.append(node)
            case .table(let table): elements.append(table.node)
            case .tables: break
            }
            try scanner.skipBlankLines()
            if scanner.take("]") { return elements }
            guard scanner.take(",") else { throw scanner.error("expected , or ] in the array") }
        }
    }

    private mutating func inlineTable(depth: Int) throws(TOMLError) -> TOMLTable {
        let table = TOMLTable(.inline, at: scanner.here())
        _ = scanner.take("{")
        scanner.skipBlanks()
        if scanner.take("}") { return table }
        while true {
            scanner.skipBlanks()
            try pair(in: table, depth: depth + 1)
            scanner.skipBlanks()
            if scanner.take("}") { return table }
            guard scanner.take(",") else { throw scanner.error("expected , or } in the inline table") }
        }
    }

    private func tooDeep() -> TOMLError { scanner.error("nested more than \(Self.depthMax) levels deep") }
}
