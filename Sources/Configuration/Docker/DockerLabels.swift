/// The labels that concern the provider itself. Both prefixes are accepted; `limpet.` overrides `traefik.`. Keys are
/// case-insensitive.
struct DockerLabels: Equatable {
    /// A label that makes no sense.
    struct Fault: Equatable {
        let label: String
        let message: String
    }

    private(set) var isEnabled: Bool?
    private(set) var allowsNonRunning = false
    private(set) var network: String?
    /// One sentence for each label that has no effect.
    private(set) var warnings: [String] = []
    /// Labels whose intent is uncertain. A container that has any is left out.
    private(set) var faults: [Fault] = []

    init(_ labels: [String: String]) {
        // traefik first, so that limpet overrides it.
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
                warnings.append("the label \(key) is unknown and has no effect")
            default: break
            }
        }
    }

    private mutating func flag(_ value: String, _ key: String) -> Bool? {
        switch value {
        case "1", "t", "T", "true", "TRUE", "True": return true
        case "0", "f", "F", "false", "FALSE", "False": return false
        default:
            faults.append(Fault(label: key, message: "is \"\(value.prefix(40))\": must be true or false"))
            return nil
        }
    }

    /// Whether a label gives a server's address itself.
    static func nameServer(_ labels: [String: String]) -> Bool {
        labels.keys.contains { key in
            let name = key.lowercased()
            return (name.hasPrefix("traefik.http.services.") || name.hasPrefix("limpet.http.services."))
                && name.hasSuffix(".loadbalancer.server.url")
        }
    }
}
