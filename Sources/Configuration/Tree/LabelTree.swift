import Routing

/// The labels of a container as a tree: `traefik.http.routers.shop.rule` becomes nested mappings. Keys keep the label
/// as written, for diagnostics. `limpet.` is the same as `traefik.`.
struct LabelTree {
    /// The value of `http`; nil if no label mentions it.
    private(set) var http: SettingValue?
    /// The first label that configures one of Traefik's other protocols.
    private(set) var otherProtocol: String?

    private static let prefixes = ["traefik", "limpet"]
    /// What may follow the prefix: `http`, read here, and the keys that the Docker provider reads; then Traefik's other
    /// protocols.
    private static let sections = ["http", "enable", "docker"]
    private static let otherProtocols = ["tcp", "udp", "tls"]
    /// The limit for nested names and brackets, because nested values are walked by recursion.
    private static let depthMax = 24
    private static let countMax = 1000
    private static let keyByteCountMax = 1024

    init(_ labels: [String: String], _ diagnostics: Diagnostics) {
        guard labels.count <= Self.countMax else {
            diagnostics.add("has more than \(Self.countMax) labels", at: nil, key: "")
            return
        }
        var root = LabelBranch()
        for (label, text) in labels.sorted(by: { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }) {
            let parts = label.split(separator: ".", omittingEmptySubsequences: false)
            guard let prefix = parts.first?.lowercased(), Self.prefixes.contains(prefix), parts.count > 1 else {
                continue
            }
            let section = parts[1].lowercased()
            guard label.utf8.count <= Self.keyByteCountMax else {
                if section == "http" {
                    diagnostics.add("is longer than \(Self.keyByteCountMax) bytes", at: nil, key: Excerpt.of(label))
                }
                continue
            }
            switch section {
            case "http": Self.add(text, label, parts, to: &root, diagnostics)
            case let other where Self.otherProtocols.contains(other): otherProtocol = otherProtocol ?? label
            default: Self.warn(label, section, diagnostics)
            }
        }
        guard !root.branches.isEmpty else { return }
        http = SettingValue(
            node: root.branches[0].node(diagnostics), key: root.branches[0].path, keyPlace: nil,
            diagnostics: diagnostics)
    }

    private static func add(
        _ text: String, _ label: String, _ parts: [Substring], to root: inout LabelBranch, _ diagnostics: Diagnostics
    ) {
        // The prefix is a part, but not a step.
        guard parts.count > 2, let steps = LabelStep.steps(parts, countMax: depthMax) else {
            diagnostics.add(
                "is malformed: write a name between dots and a whole number in brackets", at: nil, key: label)
            return
        }
        guard steps.count < depthMax else {
            diagnostics.add("has more than \(depthMax) parts, counting those in brackets", at: nil, key: label)
            return
        }
        root.add(text, label: label, steps[...], diagnostics)
    }

    /// Labels of other tools are ignored, but a name that almost matches a section is probably a mistake.
    private static func warn(_ label: String, _ section: String, _ diagnostics: Diagnostics) {
        guard !sections.contains(section), let nearest = SpellingSuggestion.nearest(to: section, among: sections) else {
            return
        }
        diagnostics.add("has no effect, did you mean \(nearest)?", at: nil, key: label, severity: .warning)
    }
}

/// One part of a label.
struct LabelStep {
    enum Name: Equatable {
        case key(String)
        /// `domains[0]` makes two steps: the key, and this one.
        case index(Int)
    }

    let name: Name
    /// The text for comparisons: no key contains a bracket.
    let folded: String
    /// The label up to and including this step.
    let path: String

    private init(_ name: Name, path: String) {
        self.name = name
        self.path = path
        switch name {
        case .key(let key): folded = key.lowercased()
        case .index(let index): folded = "[\(index)]"
        }
    }

    /// Nil if a part is empty, or if brackets do not hold a number. The prefix is not a step. Parsing stops after
    /// `countMax` steps.
    static func steps(_ parts: [Substring], countMax: Int) -> [LabelStep]? {
        var steps: [LabelStep] = []
        var path = parts.first.map(String.init) ?? ""
        for part in parts.dropFirst() {
            let key = part.prefix { $0 != "[" }
            guard !key.isEmpty else { return nil }
            guard steps.count < countMax else { return steps }
            path += ".\(key)"
            steps.append(LabelStep(.key(String(key)), path: path))
            var rest = part.dropFirst(key.count)
            while !rest.isEmpty, steps.count < countMax {
                guard let end = rest.firstIndex(of: "]"), rest.hasPrefix("["),
                    let index = Int(decimal: rest[rest.index(after: rest.startIndex)..<end])
                else { return nil }
                path += "[\(index)]"
                steps.append(LabelStep(.index(index), path: path))
                rest = rest[rest.index(after: end)...]
            }
        }
        return steps
    }
}

/// The labels that share a prefix. Keys and names are case-insensitive, as in Traefik: otherwise a router that names
/// its middlewares in another case would be served without them.
private struct LabelBranch {
    /// The step that leads here, as the first label spells it.
    var step: LabelStep?
    /// The value and the name of the label that ends here.
    var text: (value: String, label: String)?
    var branches: [LabelBranch] = []

    var path: String { step?.path ?? "" }

    mutating func add(_ value: String, label: String, _ steps: ArraySlice<LabelStep>, _ diagnostics: Diagnostics) {
        guard let step = steps.first else {
            if let text, text.value != value {
                diagnostics.add("conflicts with the label \(text.label)", at: nil, key: label)
            } else {
                text = (value, label)
            }
            return
        }
        let index = branches.firstIndex { $0.step?.folded == step.folded } ?? branches.count
        if index == branches.count { branches.append(LabelBranch(step: step)) }
        branches[index].add(value, label: label, steps.dropFirst(), diagnostics)
    }

    func node(_ diagnostics: Diagnostics) -> SettingNode {
        guard let first = branches.first else { return SettingNode(.text(text?.value ?? "")) }
        // Traefik users turn a section on with "true" and add settings below it.
        if let text, text.value.lowercased() != "true", !text.value.isEmpty {
            diagnostics.add(
                "must not have a value of its own: the label \(first.anyLabel ?? "next to it") defines a key below it",
                at: nil, key: text.label)
        }
        guard case .index = first.step?.name else {
            let keys = branches.compactMap { branch -> SettingNode.Entry? in
                guard case .key(let key) = branch.step?.name else {
                    diagnostics.add("is used both as a list and as a mapping", at: nil, key: branch.path)
                    return nil
                }
                return SettingNode.Entry(key: key, place: nil, path: branch.path, value: branch.node(diagnostics))
            }
            return SettingNode(.mapping(keys))
        }
        return SettingNode(.list(elements(diagnostics)))
    }

    private func elements(_ diagnostics: Diagnostics) -> [SettingNode] {
        var elements: [Int: SettingNode] = [:]
        for branch in branches {
            guard case .index(let index) = branch.step?.name else {
                diagnostics.add("is used both as a list and as a mapping", at: nil, key: branch.path)
                continue
            }
            guard index < branches.count else {
                diagnostics.add("leaves a gap: indices must count from 0 without gaps", at: nil, key: branch.path)
                continue
            }
            elements[index] = branch.node(diagnostics)
        }
        return elements.sorted { $0.key < $1.key }.map(\.value)
    }

    private var anyLabel: String? { text?.label ?? branches.first?.anyLabel }
}
