import Routing

/// One value of a source, with its key and its position. Reading it as the wrong type is reported as an error and gives
/// nil.
struct SettingValue {
    let node: SettingNode
    /// The path from the root, for example `store.redis.endpoints[0]`.
    let key: String
    /// The position of its key; for an element of a list, where the element begins.
    let keyPlace: Diagnostic.Place?
    let diagnostics: Diagnostics

    /// Where the value itself begins.
    var place: Diagnostic.Place? { node.place ?? keyPlace }

    /// Its origin for people: `dynamic.yml:12`, or `container web-1`.
    var origin: String {
        guard let line = keyPlace?.line else { return "\(diagnostics.source)" }
        return "\(diagnostics.source):\(line)"
    }

    /// - Parameter lines: show the place.
    func diagnostic(_ message: String, lines: [String] = []) {
        diagnostics.add(message, at: place, key: key, lines: lines)
    }

    /// - Parameter lines: show the place.
    func warning(_ message: String, lines: [String] = []) {
        diagnostics.add(message, at: place, key: key, severity: .warning, lines: lines)
    }

    /// Whether the key has no value, or YAML's null.
    var isNull: Bool { node.content == .null }

    /// A single value as written, whatever its intended type; nil for null, mappings and lists.
    var text: String? {
        if case .text(let text) = node.content { text } else { nil }
    }

    var isMapping: Bool {
        if case .mapping = node.content { true } else { false }
    }

    var isList: Bool {
        if case .list = node.content { true } else { false }
    }

    private var kind: String { node.kind }

    /// Before what would be right: `is laxx: must be`, or `must be` where there is no single value.
    ///
    /// - Parameter what: what it must be.
    private func mustBe(_ what: String) -> String {
        guard let text else { return "must be \(what), but is \(kind)" }
        guard !text.isEmpty else { return "is empty: must be \(what)" }
        let isPlain = text.utf8.allSatisfy { (0x21...0x7E).contains($0) }
        return "is \(isPlain ? Excerpt.of(text) : "\"\(Excerpt.of(text))\""): must be \(what)"
    }

    func string() -> String? {
        guard let text else {
            diagnostic("must be a string, but is \(kind)")
            return nil
        }
        return text
    }

    /// A text with at least one character.
    func nonEmptyString() -> String? {
        guard let text = string() else { return nil }
        guard text.isEmpty else { return text }
        diagnostic("must not be empty")
        return nil
    }

    /// An address or a range of addresses, such as 10.0.0.0/8.
    func addressRange() -> AddressRange? {
        guard let text = string() else { return nil }
        do throws(AddressError) {
            return try AddressRange(text)
        } catch {
            diagnostic(error.description)
            return nil
        }
    }

    func bool() -> Bool? {
        switch text?.lowercased() {
        case "true": return true
        case "false": return false
        default:
            diagnostic(mustBe("true or false"))
            return nil
        }
    }

    func integer(_ range: ClosedRange<Int>) -> Int? {
        guard let text, let number = Int(text), range.contains(number) else {
            diagnostic(mustBe("a whole number from \(range.lowerBound) to \(range.upperBound)"))
            return nil
        }
        return number
    }

    /// A duration in Go's syntax, or a whole number of seconds.
    func duration(_ range: ClosedRange<Duration>) -> Duration? {
        guard let text, let duration = DurationText.read(text) else {
            diagnostic(mustBe("a duration such as 500ms, 20s or 1m30s, or a whole number of seconds"))
            return nil
        }
        guard range.contains(duration) else {
            let (least, most) = (DurationText.write(range.lowerBound), DurationText.write(range.upperBound))
            diagnostic(mustBe("a duration from \(least) to \(most)"))
            return nil
        }
        return duration
    }

    /// One of the values of an enumeration, case-insensitively. Messages list them in lowercase.
    ///
    /// - Parameters:
    ///   - aliases: other words for some of them, in lowercase.
    ///   - unavailable: words that another version, or Traefik, knows.
    func choice<Choice: RawRepresentable<String> & CaseIterable>(
        _ type: Choice.Type, aliases: [String: Choice] = [:], unavailable: [String] = []
    ) -> Choice? {
        let text = text?.lowercased()
        if let choice = Choice.allCases.first(where: { $0.rawValue.lowercased() == text }) { return choice }
        if let text, let choice = aliases[text] { return choice }
        if let text, unavailable.contains(text) {
            diagnostic("\(text) is not available in this version")
        } else {
            let words = Choice.allCases.map { $0.rawValue.lowercased() }
            diagnostic(mustBe("\(words.count > 1 ? "one of " : "")\(words.joined(separator: ", "))"))
        }
        return nil
    }

    /// The elements; empty after an error. In a label, they may be one text with commas.
    func list() -> [SettingValue] {
        switch node.content {
        case .null:
            return []
        case .list(let elements):
            return elements.enumerated()
                .map { index, element in
                    SettingValue(
                        node: element, key: "\(key)[\(index)]", keyPlace: element.place, diagnostics: diagnostics)
                }
        case .text(let text) where diagnostics.isLabels:
            return text.split(separator: ",").compactMap { part in
                let word = part.trimming(while: \.isWhitespace)
                guard !word.isEmpty else { return nil }
                return SettingValue(node: SettingNode(.text(word)), key: key, keyPlace: nil, diagnostics: diagnostics)
            }
        case .text, .mapping:
            diagnostic("must be a list, but is \(kind)")
            return []
        }
    }

    func section() -> SettingSection? {
        switch node.content {
        case .null: return SettingSection(self, entries: [])
        case .mapping(let entries): return SettingSection(self, entries: entries)
        case .text, .list:
            diagnostic("must be a mapping, but is \(kind)")
            return nil
        }
    }
}

extension Substring {
    fileprivate func trimming(while isBlank: (Character) -> Bool) -> String {
        var text = drop(while: isBlank)
        while let last = text.last, isBlank(last) { text.removeLast() }
        return String(text)
    }
}
