import Routing
import Yams

extension SettingNode {
    /// The tree of a YAML text. Invalid YAML, or a duplicate key, is reported and gives nil.
    init?(yaml: String, _ diagnostics: Diagnostics) {
        do {
            // With the basic rules, Yams does not infer tags for plain values.
            guard let root = try Yams.compose(yaml: yaml, .basic) else {
                self.init(.null)
                return
            }
            var conversion = YAMLConversion()
            self = try conversion.node(root, depth: 0)
        } catch let refusal as YAMLConversion.Refusal {
            diagnostics.add(refusal.message, at: refusal.place, key: "")
            return nil
        } catch let error as YamlError {
            let (message, mark) = Self.explain(error, in: yaml)
            let hint = yaml.contains("{{") ? ": Go templates are not available in this version" : ""
            diagnostics.add(
                message + hint, at: mark.map { Diagnostic.Place(line: $0.line, column: $0.column) }, key: "")
            return nil
        } catch {
            diagnostics.add("cannot be read as YAML: \(error)", at: nil, key: "")
            return nil
        }
    }

    /// What libyaml calls a character that cannot start any token.
    private static func misplaced(at mark: Mark, in yaml: String) -> String? {
        let lines = yaml.split(omittingEmptySubsequences: false) { $0 == "\n" || $0 == "\r\n" }
        guard lines.indices.contains(mark.line - 1) else { return nil }
        switch lines[mark.line - 1].unicodeScalars.dropFirst(mark.column - 1).first {
        case "\t": return "found a tab: indent with spaces"
        case let scalar? where "@`%".unicodeScalars.contains(scalar):
            return "found \(scalar), which cannot begin a value: put the value in quotes"
        default: return nil
        }
    }

    private static func explain(_ error: YamlError, in yaml: String) -> (message: String, mark: Mark?) {
        switch error {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            // A problem from libyaml may continue a sentence that it did not return.
            let reason = problem.hasPrefix("but ") ? problem.dropFirst(4) : problem[...]
            let misplaced = reason.contains("cannot start any token") ? misplaced(at: mark, in: yaml) : nil
            return ("is not valid YAML: \(misplaced ?? String(reason))", mark)
        case .reader(let problem, _, _, _), .writer(let problem), .emitter(let problem), .representer(let problem):
            return ("is not valid YAML: \(problem)", nil)
        case .duplicatedKeysInMapping(let keys, let context):
            return (YAMLConversion.definedTwice(keys), context.mark)
        case .no, .memory, .dataCouldNotBeDecoded:
            return ("cannot be read as YAML", nil)
        }
    }
}

/// Copies Yams' tree. An alias is a copy of all that its anchor holds, and aliases of aliases multiply, so nodes are
/// counted.
private struct YAMLConversion {
    struct Refusal: Error {
        let message: String
        let place: Diagnostic.Place?
    }

    private static let depthMax = 64
    private static let nodesMax = 2_000_000
    private static let namesMax = 12
    private static let coreTags = Set(
        [Tag.Name.nonSpecific, .str, .int, .bool, .float, .null, .map, .seq].map(\.rawValue))
    private var nodes = 0

    mutating func node(_ node: Node, depth: Int) throws -> SettingNode {
        let place = Self.place(of: node)
        nodes += 1
        guard depth <= Self.depthMax else {
            throw Refusal(message: "is nested more than \(Self.depthMax) levels deep", place: place)
        }
        guard nodes <= Self.nodesMax else {
            throw Refusal(
                message: "holds more than \(Self.nodesMax) values, counting those of its aliases", place: place)
        }
        try Self.checkTag(of: node)
        switch node {
        case .scalar(let scalar):
            let isNull =
                scalar.style == .plain && scalar.tag.rawValue != Tag.Name.str.rawValue
                && ["", "~", "null", "Null", "NULL"].contains(scalar.string)
            return SettingNode(isNull ? .null : .text(scalar.string), at: place)
        case .mapping(let mapping):
            return SettingNode(.mapping(try entries(of: mapping, depth: depth)), at: place)
        case .sequence(let sequence):
            return SettingNode(.list(try sequence.map { try self.node($0, depth: depth + 1) }), at: place)
        case .alias:
            return SettingNode(.null, at: place)
        }
    }

    private mutating func entries(of mapping: Node.Mapping, depth: Int) throws -> [SettingNode.Entry] {
        var names: Set<String> = []
        return try mapping.map { key, value in
            guard let name = key.scalar?.string else {
                throw Refusal(message: "a key must be a string", place: Self.place(of: key))
            }
            try Self.checkTag(of: key)
            // Yams takes keys with different tags for different keys.
            guard names.insert(name).inserted else {
                throw Refusal(message: Self.definedTwice([name]), place: Self.place(of: key))
            }
            return SettingNode.Entry(
                key: name, place: Self.place(of: key), value: try self.node(value, depth: depth + 1))
        }
    }

    /// An application-specific tag asks for a value other than the one written.
    private static func checkTag(of node: Node) throws {
        let tag: String
        switch node {
        case .scalar(let scalar): tag = scalar.tag.rawValue
        case .mapping(let mapping): tag = mapping.tag.rawValue
        case .sequence(let sequence): tag = sequence.tag.rawValue
        case .alias: return
        }
        guard !tag.isEmpty, !coreTags.contains(tag) else { return }
        throw Refusal(
            message: "has the tag \(Excerpt.of(tag)), which is not supported: write the plain value",
            place: place(of: node))
    }

    static func definedTwice(_ keys: [String]) -> String {
        let names = keys.prefix(namesMax).map { "\"\(Excerpt.of($0))\"" }.joined(separator: ", ")
        return
            "\(names)\(keys.count > namesMax ? ", …" : "") \(keys.count == 1 ? "is" : "are") defined twice in one mapping"
    }

    private static func place(of node: Node) -> Diagnostic.Place? {
        node.mark.map { Diagnostic.Place(line: $0.line, column: $0.column) }
    }
}
