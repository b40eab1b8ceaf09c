/// `defaultRule`: the rule for a router without one, in Traefik's notation, with values of the container between `{{`
/// and `}}`. Of Go's template language, it supports the values `.Name` (the container's default name), `.ContainerName`
/// and `index .Labels "key"`, strings, parentheses, pipes and a few functions. Anything else is an error.
package struct DockerRuleTemplate: Equatable, Sendable {
    enum Part: Equatable, Sendable {
        case text(String)
        case value(Expression)
    }

    indirect enum Expression: Equatable, Sendable {
        case name
        case containerName
        case label(Expression)
        case string(String)
        case call(Function, [Expression])
    }

    /// The supported functions of Go's template language and of sprig.
    enum Function: String, CaseIterable, Sendable {
        case normalize, lower, upper, trimPrefix, trimSuffix, replace
        /// The first value if the second is empty, else the second.
        case `default`

        var argumentCount: Int {
            switch self {
            case .normalize, .lower, .upper: 1
            case .trimPrefix, .trimSuffix, .default: 2
            case .replace: 3
            }
        }

        func callAsFunction(_ values: [String]) -> String {
            guard values.count == argumentCount else { return "" }
            switch self {
            case .normalize: return DockerName.normalized(values[0])
            case .lower: return values[0].lowercased()
            case .upper: return values[0].uppercased()
            case .trimPrefix:
                return values[1].hasPrefix(values[0]) ? String(values[1].dropFirst(values[0].count)) : values[1]
            case .trimSuffix:
                return values[1].hasSuffix(values[0]) ? String(values[1].dropLast(values[0].count)) : values[1]
            case .replace: return values[0].isEmpty ? values[2] : values[2].replacing(values[0], with: values[1])
            case .default: return values[1].isEmpty ? values[0] : values[1]
            }
        }
    }

    /// The longest rule that is rendered.
    static let renderedByteCountMax = 16 << 10

    let parts: [Part]

    /// - Throws: `DockerSettingError` that names what is not understood.
    package init(_ text: String) throws(DockerSettingError) {
        parts = try DockerRuleTemplateParser.parts(of: text)
    }

    /// - Returns: nil if the rule would be longer than 16 KiB.
    package func rendered(name: String, containerName: String, labels: [String: String]) -> String? {
        func value(_ expression: Expression) -> String {
            switch expression {
            case .name: name
            case .containerName: containerName
            case .label(let key): labels[value(key)] ?? ""
            case .string(let text): text
            case .call(let function, let arguments): function(arguments.map(value))
            }
        }
        var rule = ""
        for part in parts {
            switch part {
            case .text(let text): rule += text
            case .value(let expression): rule += value(expression)
            }
            guard rule.utf8.count <= Self.renderedByteCountMax else { return nil }
        }
        return rule
    }
}

/// Derives names from container names.
enum DockerName {
    /// Keeps letters and digits. Each run of other characters between them becomes one hyphen.
    static func normalized(_ text: String) -> String {
        text.unicodeScalars.split { !($0.properties.isAlphabetic || $0.properties.numericType != nil) }
            .map { String(String.UnicodeScalarView($0)) }.joined(separator: "-")
    }
}
