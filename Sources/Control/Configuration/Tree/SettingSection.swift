import Routing

/// A mapping of a source. An empty one may also be written as nothing at all.
struct SettingSection {
    private let value: SettingValue
    private let pairs: [SettingNode.Entry]

    init(_ value: SettingValue, entries: [SettingNode.Entry]) {
        self.value = value
        pairs = entries
    }

    /// From the root.
    var key: String { value.key }

    var isEmpty: Bool { pairs.isEmpty }

    /// Records every key that is neither known nor, as one that another version or Traefik has, known to be missing;
    /// and a known one that stands there in two spellings.
    func check(known: [String], unavailable: [String] = []) {
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
                value.diagnostics.add(Diagnostic.unavailable, at: pair.place, key: path(of: pair, as: key))
            } else {
                value.diagnostics.add(
                    problem(of: pair.key, known: known, unavailable: unavailable), at: pair.place, key: path(of: pair))
            }
        }
    }

    /// Whether a key as it is written is this one: in any case, as in Traefik.
    func isSame(_ written: String, _ key: String) -> Bool {
        written == key || written.utf8.count == key.utf8.count && written.lowercased() == key.lowercased()
    }

    private func problem(of key: String, known: [String], unavailable: [String]) -> String {
        if key == "<<" { return "merge keys are not available in this version" }
        if let nearest = Spelling.nearest(to: key, among: known + unavailable) {
            return "unknown key, did you mean \(nearest)?"
        }
        return known.count == 1
            ? "unknown key: the only key here is \(known[0])"
            : "unknown key: the keys here are \(known.joined(separator: ", "))"
    }

    /// The value of a key, if the key is there. Of a null: nil too, for keys that have a default.
    subscript(_ key: String) -> SettingValue? {
        guard let value = present(key), !value.isNull else { return nil }
        return value
    }

    /// The section of a key, if the key is there, even with nothing after it.
    func section(_ key: String) -> SettingSection? {
        present(key)?.section()
    }

    /// Whatever stands after a key, null too.
    func present(_ key: String) -> SettingValue? {
        guard let pair = pairs.first(where: { isSame($0.key, key) }) else { return nil }
        return value(of: pair, as: key)
    }

    /// All entries, in the order of the source.
    var entries: [(name: String, value: SettingValue)] {
        pairs.map { (name: $0.key, value: value(of: $0, as: $0.key)) }
    }

    /// A value that must be there; that it is not is recorded at the section's own key.
    func required(_ key: String, _ use: String) -> SettingValue? {
        if let value = self[key] { return value }
        value.diagnostics.add("is missing: \(use)", at: value.keyPlace, key: path(to: key))
        return nil
    }

    /// What stands for a key that is left out.
    func made(_ key: String, _ text: String) -> SettingValue {
        SettingValue(
            node: SettingNode(.text(text)), key: path(to: key), keyPlace: value.keyPlace, diagnostics: value.diagnostics
        )
    }

    /// A mapping with nothing in it, under a name that a user could have given.
    func empty(named name: String) -> SettingValue {
        SettingValue(
            node: SettingNode(.null), key: "\(value.key).\(name)", keyPlace: value.keyPlace,
            diagnostics: value.diagnostics)
    }

    /// What stands under a key, or as much as nothing.
    func made(_ key: String, _ value: SettingValue?) -> SettingValue {
        value
            ?? SettingValue(
                node: SettingNode(.null), key: path(to: key), keyPlace: self.value.keyPlace,
                diagnostics: self.value.diagnostics)
    }

    /// A mistake that concerns the section as a whole, or a key of it, whether that is there or not.
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

    /// - Parameter key: how the key is to be written. A label is called as it is.
    private func path(of pair: SettingNode.Entry, as key: String? = nil) -> String {
        pair.path ?? path(to: key ?? pair.key)
    }

    /// Labels are mostly written in small letters.
    private func path(to key: String) -> String {
        let key = Excerpt.of(value.diagnostics.isLabels ? key.lowercased() : key)
        return value.key.isEmpty ? key : "\(value.key).\(key)"
    }
}
