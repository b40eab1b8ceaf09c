import Routing

/// What a router or a service calls another object by, as it stands in the source.
struct HTTPReference {
    let value: SettingValue
    /// As written.
    let text: String
    /// Without its provider.
    let name: String
    let provider: ProviderName
    /// Whether it is looked for where it was written.
    let isOwn: Bool

    var qualified: String { provider.qualified(name) }

    /// Reads `name` or `name@provider`. What can name nothing is recorded, and nil.
    init?(_ value: SettingValue, from own: ProviderName) {
        guard let text = value.nonEmptyString() else { return nil }
        self.value = value
        self.text = text
        guard let at = text.lastIndex(of: "@") else {
            (name, provider, isOwn) = (text, own, true)
            return
        }
        name = String(text[..<at])
        let suffix = String(text[text.index(after: at)...])
        guard let provider = ProviderName(rawValue: suffix) else {
            let known = ProviderName.allCases.map(\.rawValue).joined(separator: " or ")
            let problem =
                suffix.isEmpty
                ? "has no provider after @"
                : "names the provider \(Excerpt.of(suffix)), which is not available in this version"
            value.diagnostic("\(problem): use \(known)")
            return nil
        }
        self.provider = provider
        isOwn = provider == own
    }
}
