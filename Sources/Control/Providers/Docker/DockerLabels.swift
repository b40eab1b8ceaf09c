/// The labels that concern the provider itself. Both prefixes are known, `limpet.` counts before `traefik.`; letters of
/// keys may be small or capital.
struct DockerLabels: Equatable {
    private(set) var isEnabled: Bool?
    private(set) var allowsNonRunning = false
    private(set) var network: String?
    /// What is wrong with them, each in one sentence.
    private(set) var problems: [String] = []
    /// Whether it is certain what is meant.
    private(set) var isUsable = true

    init(_ labels: [String: String]) {
        // traefik first, so that limpet has the last word.
        let keys = labels.keys.map { (key: $0, name: $0.lowercased()) }
            .filter { $0.name.hasPrefix("traefik.") || $0.name.hasPrefix("limpet.") }
            .sorted { ($0.name.hasPrefix("limpet.") ? 1 : 0, $0.key) < ($1.name.hasPrefix("limpet.") ? 1 : 0, $1.key) }
        for (key, name) in keys {
            let value = labels[key] ?? ""
            switch name.drop(while: { $0 != "." }) {
            case ".enable":
                if let flag = flag(value, key) { isEnabled = flag }
            case ".docker.allownonrunning":
                if let flag = flag(value, key) { allowsNonRunning = flag }
            case ".docker.network": network = value.isEmpty ? nil : value
            case let rest where rest.hasPrefix(".docker."):
                problems.append("the label \(key) is unknown and has no effect")
            default: break
            }
        }
    }

    private mutating func flag(_ value: String, _ key: String) -> Bool? {
        switch value {
        case "1", "t", "T", "true", "TRUE", "True": return true
        case "0", "f", "F", "false", "FALSE", "False": return false
        default:
            problems.append(
                "the label \(key) says \"\(value.prefix(40))\": write true or false; the container is left out")
            isUsable = false
            return nil
        }
    }
}
