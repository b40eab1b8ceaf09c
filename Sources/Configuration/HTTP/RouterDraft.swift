import Routing

/// A router as one source defines it.
struct RouterDraft {
    let name: String
    let value: SettingValue
    let provider: ProviderName
    var rule: Rule?
    var service: HTTPReference?
    var middlewares: [HTTPReference]
    var priority: Int?
    /// Indices into `Configuration.entryPoints`.
    var entryPoints: Set<Int>
    /// The names of entry points, where it is not known which there are.
    private(set) var assumedEntryPoints: [String] = []
    /// Nil: what its entry points say.
    var tls: RouterTLSDraft?

    /// Every request may be tested against all matchers of a rule.
    private static let ruleByteCountMax = 16 << 10

    /// Defaults for a container's router.
    struct Defaults {
        var rule: String
        /// The names of the container's services.
        var services: [String]
    }

    init?(
        name: String, _ value: SettingValue, of provider: ProviderName, _ context: HTTPContext,
        defaults: Defaults? = nil
    ) {
        guard let section = value.section() else { return nil }
        self.name = name
        self.value = value
        self.provider = provider
        section.check(
            known: ["rule", "service", "entryPoints", "priority", "middlewares", "tls"],
            unavailable: ["observability", "parentRefs", "ruleSyntax", "deniedEncodedPathCharacters"])
        rule = Self.ruleText(section, defaults).flatMap(Self.rule)
        service = Self.serviceName(section, defaults).flatMap { HTTPReference($0, from: provider) }
        middlewares = (section["middlewares"]?.list() ?? []).compactMap { HTTPReference($0, from: provider) }
        if let names = context.entryPointNames {
            entryPoints = Self.entryPoints(section["entryPoints"], among: names) ?? context.defaultEntryPoints
        } else {
            entryPoints = []
            assumedEntryPoints = (section["entryPoints"]?.list() ?? []).compactMap { $0.string() }
        }
        tls = RouterTLSDraft(section.present("tls"), of: provider)
        // Traefik's 0 means the default: the rule's length.
        let priority = section["priority"]?.integer(Int.min...(Int.max - 1000))
        self.priority = priority == 0 ? nil : priority
    }

    /// Whether two containers define the router alike.
    func says(theSameAs other: RouterDraft) -> Bool {
        rule == other.rule && service?.qualified == other.service?.qualified && priority == other.priority
            && entryPoints == other.entryPoints && RouterTLSDraft.alike(tls, other.tls)
            && middlewares.map(\.qualified) == other.middlewares.map(\.qualified)
    }

    private static func ruleText(_ section: SettingSection, _ defaults: Defaults?) -> SettingValue? {
        if let value = section["rule"] { return value }
        guard let defaults, !defaults.rule.isEmpty else {
            return section.required("rule", "write a rule such as Host(`example.com`)")
        }
        return section.made("rule", defaults.rule)
    }

    private static func serviceName(_ section: SettingSection, _ defaults: Defaults?) -> SettingValue? {
        if let value = section["service"] { return value }
        guard let defaults, let first = defaults.services.first else {
            return section.required("service", "name one of http.services")
        }
        guard defaults.services.count == 1 else {
            section.diagnostic(
                "is missing: name one of the container's services: \(defaults.services.sorted().joined(separator: ", "))",
                key: "service")
            return nil
        }
        return section.made("service", first)
    }

    private static func rule(_ value: SettingValue) -> Rule? {
        guard let text = value.string() else { return nil }
        guard text.utf8.count <= ruleByteCountMax else {
            value.diagnostic(
                "has \(text.utf8.count) bytes, but a rule has at most \(ruleByteCountMax): split it into several routers"
            )
            return nil
        }
        do throws(RuleError) {
            let rule = try Rule(text)
            for doubt in rule.doubts { value.warning(doubt.message, lines: lines(doubt, under: text)) }
            return rule
        } catch {
            value.diagnostic(error.message, lines: lines(error, under: text))
            return nil
        }
    }

    private static func lines(_ error: RuleError, under text: String) -> [String] {
        guard text.contains(where: { !$0.isWhitespace }) else { return [] }
        // Splits bytes: in Swift, a line feed after a carriage return is not a Character of its own.
        return error.caret(under: text).utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
            .map { "    " + EscapedText.inPlace(Substring($0)) }
    }

    /// Indices of the named entry points. Nil if none are named.
    private static func entryPoints(_ value: SettingValue?, among names: [String]) -> Set<Int>? {
        let indices = (value?.list() ?? []).compactMap { element -> Int? in
            guard let name = element.string() else { return nil }
            if let index = names.firstIndex(of: name) { return index }
            element.diagnostic(
                "entry point \(Excerpt.of(name)) is not defined: use \(names.joined(separator: " or "))")
            return nil
        }
        return indices.isEmpty ? nil : Set(indices)
    }
}
