import Routing

/// What the section `http` refers to.
struct HTTPContext {
    /// In their order.
    let entryPointNames: [String]
    let lease: Duration

    func read(_ section: SettingSection?) -> (routers: [RouterSettings], services: [ServiceSettings]) {
        section?.check(known: ["routers", "services"], unavailable: ["middlewares", "serversTransports", "models"])
        let services = Self.sorted(section?.section("services")).map { name, value in
            ServiceSettings(name: name, value, lease: lease)
        }
        let names = services.map(\.name)
        let routers = Self.sorted(section?.section("routers")).compactMap { name, value in
            router(name, value, services: names)
        }
        return (routers, services)
    }

    /// The entries by name, names with an `@` refused.
    private static func sorted(_ section: SettingSection?) -> [(name: String, value: SettingValue)] {
        let entries = section?.entries ?? []
        for (name, value) in entries {
            let isValid = !name.isEmpty && !name.contains("@") && name.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F }
            if !isValid {
                value.mistakes.add(
                    "a name must not be empty, and not contain @ or control characters", at: value.keyPlace,
                    key: value.key)
            }
        }
        return entries.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
    }

    private func router(_ name: String, _ value: SettingValue, services: [String]) -> RouterSettings? {
        guard let section = value.section() else { return nil }
        section.check(
            known: ["rule", "service", "entryPoints", "priority"],
            unavailable: [
                "middlewares", "tls", "observability", "parentRefs", "ruleSyntax", "deniedEncodedPathCharacters",
            ])
        let rule = section.required("rule", "write a rule such as Host(`example.com`)").flatMap(Self.rule)
        let service = section.required("service", "name one of http.services").flatMap { Self.service($0, services) }
        let entryPoints = entryPoints(section["entryPoints"])
        // Traefik's 0 is its default, the rule's length.
        let priority = section["priority"]?.integer(Int.min...(Int.max - 1000))
        guard let rule, let service else { return nil }
        let router = Router(name: name, rule: rule, priority: priority == 0 ? nil : priority, entryPoints: entryPoints)
        return RouterSettings(router: router, service: service)
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

    /// - Returns: the service's index. What Traefik writes as `name@file` is the same service.
    private static func service(_ value: SettingValue, _ names: [String]) -> Int? {
        guard let text = value.string() else { return nil }
        let name = text.hasSuffix("@file") ? String(text.dropLast("@file".count)) : text
        if let index = names.firstIndex(of: name) { return index }
        let advice = Spelling.nearest(to: name, among: names).map { ", did you mean \($0)?" } ?? ""
        value.mistake("there is no service \(name)\(advice)")
        return nil
    }

    /// Indices; all of them where none are named.
    private func entryPoints(_ value: SettingValue?) -> Set<Int> {
        guard let value else { return Set(entryPointNames.indices) }
        let indices = value.list().compactMap { element -> Int? in
            guard let name = element.string() else { return nil }
            if let index = entryPointNames.firstIndex(of: name) { return index }
            let known = entryPointNames.joined(separator: ", ")
            element.mistake("there is no entry point \(name) for routers, there are \(known)")
            return nil
        }
        return indices.isEmpty ? Set(entryPointNames.indices) : Set(indices)
    }
}
