import Routing

/// What one source says of routers, services and middlewares, before it is known what the names in it refer to.
struct HTTPDraft {
    let provider: ProviderName
    let mistakes: MistakeList
    var routers: [RouterDraft] = []
    var services: [ServiceDraft] = []

    init(_ provider: ProviderName, _ mistakes: MistakeList) {
        self.provider = provider
        self.mistakes = mistakes
    }

    /// - Parameter section: `http`.
    init(_ section: SettingSection, of provider: ProviderName, _ mistakes: MistakeList, _ context: HTTPContext) {
        self.init(provider, mistakes)
        section.check(known: ["routers", "services"], unavailable: ["middlewares", "serversTransports", "models"])
        services = Self.named(section.section("services")).map { name, value in
            ServiceDraft(name: name, value, of: provider, context)
        }
        routers = Self.named(section.section("routers")).compactMap { name, value in
            RouterDraft(name: name, value, of: provider, context)
        }
    }

    /// The entries of a mapping of objects, names that none can have refused.
    private static func named(_ section: SettingSection?) -> [(name: String, value: SettingValue)] {
        let entries = section?.entries ?? []
        for (name, value) in entries {
            let isValid = !name.isEmpty && !name.contains("@") && name.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F }
            if !isValid {
                value.mistakes.add(
                    "a name must not be empty, and not contain @ or control characters", at: value.keyPlace,
                    key: value.key)
            }
        }
        return entries
    }
}

/// A router as one source says it.
struct RouterDraft {
    let name: String
    let value: SettingValue
    let provider: ProviderName
    var rule: Rule?
    var service: HTTPReference?
    var priority: Int?
    /// Indices.
    var entryPoints: Set<Int>

    init?(name: String, _ value: SettingValue, of provider: ProviderName, _ context: HTTPContext) {
        guard let section = value.section() else { return nil }
        self.name = name
        self.value = value
        self.provider = provider
        section.check(
            known: ["rule", "service", "entryPoints", "priority"],
            unavailable: [
                "middlewares", "tls", "observability", "parentRefs", "ruleSyntax", "deniedEncodedPathCharacters",
            ])
        rule = section.required("rule", "write a rule such as Host(`example.com`)").flatMap(Self.rule)
        service = section.required("service", "name one of http.services").flatMap {
            HTTPReference($0, from: provider)
        }
        entryPoints = Self.entryPoints(section["entryPoints"], context)
        // Traefik's 0 is its default, the rule's length.
        let priority = section["priority"]?.integer(Int.min...(Int.max - 1000))
        self.priority = priority == 0 ? nil : priority
    }

    private static func rule(_ value: SettingValue) -> Rule? {
        guard let text = value.string() else { return nil }
        do throws(RuleError) {
            return try Rule(text)
        } catch {
            let caret = error.caret(under: text).split(separator: "\n", omittingEmptySubsequences: false)
            value.mistake(([error.message] + caret.map { "    " + $0 }).joined(separator: "\n"))
            return nil
        }
    }

    /// Indices; all of them where none are named.
    private static func entryPoints(_ value: SettingValue?, _ context: HTTPContext) -> Set<Int> {
        guard let names = context.entryPointNames else {
            for element in value?.list() ?? [] { _ = element.string() }
            return []
        }
        let indices = (value?.list() ?? []).compactMap { element -> Int? in
            guard let name = element.string() else { return nil }
            if let index = names.firstIndex(of: name) { return index }
            element.mistake("there is no entry point \(name) for routers, there are \(names.joined(separator: ", "))")
            return nil
        }
        return indices.isEmpty ? Set(names.indices) : Set(indices)
    }
}
