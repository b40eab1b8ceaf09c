import Routing

/// A mapping of a source. An empty mapping may also be written as no value at all.
struct SettingSection {
    private let value: SettingValue
    private let pairs: [SettingNode.Entry]

    init(_ value: SettingValue, entries: [SettingNode.Entry]) {
        self.value = value
        pairs = entries
    }

    /// The path from the root.
    var key: String { value.key }

    var isEmpty: Bool { pairs.isEmpty }

    /// Reports every unknown key, every key that another version or Traefik has and this version does not, and every
    /// known key that appears in two spellings.
    /// - Parameter alwaysOn: keys of Traefik for what Limpet's admin listener always serves.
    func check(known: [String], unavailable: [String] = [], alwaysOn: [String] = []) {
        var first: [String: SettingNode.Entry] = [:]
        for pair in pairs {
            if let key = known.first(where: { isSame(pair.key, $0) }) {
                guard let other = first[key] else {
                    first[key] = pair
                    continue
                }
                let line = other.place.map { " in line \($0.line)" } ?? ""
                value.diagnostics.add(
                    "is defined twice (first\(line) as \(other.key))", at: pair.place, key: path(of: pair))
            } else if let key = unavailable.first(where: { isSame(pair.key, $0) }) {
                value.diagnostics.add("is \(Diagnostic.unavailable)", at: pair.place, key: path(of: pair, as: key))
            } else if let key = alwaysOn.first(where: { isSame(pair.key, $0) }) {
                value.diagnostics.add(
                    "is always on at the admin listener: remove this key", at: pair.place, key: path(of: pair, as: key))
            } else {
                value.diagnostics.add(
                    problem(of: pair.key, known: known, unavailable: unavailable), at: pair.place, key: path(of: pair))
            }
        }
    }

    /// Whether `written` is this key, case-insensitively as in Traefik.
    func isSame(_ written: String, _ key: String) -> Bool {
        written == key || written.utf8.count == key.utf8.count && written.lowercased() == key.lowercased()
    }

    private func problem(of key: String, known: [String], unavailable: [String]) -> String {
        if key == "<<" { return "merge keys are not available in this version" }
        if let nearest = SpellingSuggestion.nearest(to: key, among: known + unavailable) {
            return "unknown key, did you mean \(nearest)?"
        }
        return known.count == 1
            ? "unknown key: the only key here is \(known[0])"
            : "unknown key: the keys here are \(known.joined(separator: ", "))"
    }

    /// The value of a key. Nil if the key is absent or null, for keys that have a default.
    subscript(_ key: String) -> SettingValue? {
        guard let value = present(key), !value.isNull else { return nil }
        return value
    }

    /// The section of a key. A key without a value counts as an empty section.
    func section(_ key: String) -> SettingSection? {
        present(key)?.section()
    }

    /// The value of a key, null included.
    func present(_ key: String) -> SettingValue? {
        guard let pair = pairs.first(where: { isSame($0.key, key) }) else { return nil }
        return value(of: pair, as: key)
    }

    /// The value below these keys, one in the other. Nil if there is none; nothing is reported.
    func value(below keys: [String]) -> SettingValue? {
        guard let first = keys.first, let value = present(first), keys.count > 1 else {
            return keys.first.flatMap(present)
        }
        return value.isMapping ? value.section()?.value(below: Array(keys.dropFirst())) : nil
    }

    /// All entries, in the order of the source.
    var entries: [(name: String, value: SettingValue)] {
        pairs.map { (name: $0.key, value: value(of: $0, as: $0.key)) }
    }

    /// The value of a mandatory key. Reports a missing one at the section's own key.
    func required(_ key: String, _ use: String) -> SettingValue? {
        if let value = self[key] { return value }
        value.diagnostics.add("is missing: \(use)", at: value.keyPlace, key: path(to: key))
        return nil
    }

    /// A value to use for a key that is left out.
    func made(_ key: String, _ text: String) -> SettingValue {
        SettingValue(
            node: SettingNode(.text(text)), key: path(to: key), keyPlace: value.keyPlace, diagnostics: value.diagnostics
        )
    }

    /// An empty mapping, under a name that a user could have chosen.
    func empty(named name: String) -> SettingValue {
        SettingValue(
            node: SettingNode(.null), key: "\(value.key).\(name)", keyPlace: value.keyPlace,
            diagnostics: value.diagnostics)
    }

    /// The given value, or a null one under this key.
    func made(_ key: String, _ value: SettingValue?) -> SettingValue {
        value
            ?? SettingValue(
                node: SettingNode(.null), key: path(to: key), keyPlace: self.value.keyPlace,
                diagnostics: self.value.diagnostics)
    }

    /// Reports a problem with the section as a whole, or with one of its keys, present or not.
    func diagnostic(_ message: String, key: String? = nil) {
        let place = key.flatMap(present)?.keyPlace ?? value.keyPlace
        value.diagnostics.add(message, at: place, key: key.map(path(to:)) ?? value.key)
    }

    func warning(_ message: String) {
        value.diagnostics.add(message, at: value.keyPlace, key: value.key, severity: .warning)
    }

    private func value(of pair: SettingNode.Entry, as key: String) -> SettingValue {
        SettingValue(
            node: pair.value, key: path(of: pair, as: key), keyPlace: pair.place, diagnostics: value.diagnostics)
    }

    /// - Parameter key: the spelling of the key to show. A label is shown as written.
    private func path(of pair: SettingNode.Entry, as key: String? = nil) -> String {
        pair.path ?? path(to: key ?? pair.key)
    }

    /// Labels are mostly lowercase.
    private func path(to key: String) -> String {
        let key = Excerpt.of(value.diagnostics.isLabels ? key.lowercased() : key)
        return value.key.isEmpty ? key : "\(value.key).\(key)"
    }
}
