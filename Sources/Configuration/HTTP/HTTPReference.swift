import Routing

/// A reference from a router or service to another object, as written in the source.
struct HTTPReference {
    let value: SettingValue
    /// The text as written.
    let text: String
    /// The name without its provider.
    let name: String
    let provider: ProviderName
    /// Whether it refers to an object of the provider that it was written in.
    let isOwn: Bool

    var qualified: String { provider.qualified(name) }

    /// Parses `name` or `name@provider`. Reports an invalid reference and returns nil.
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

/// The provider that defines a router, service or middleware. A name is unique within its provider.
enum ProviderName: String, CaseIterable, Sendable {
    /// All files: the main file and those of the file provider.
    case file
    /// All containers.
    case docker

    /// The object's name outside its provider. Objects from files keep their names as written, whichever providers are
    /// in use.
    func qualified(_ name: String) -> String {
        switch self {
        case .file: name
        case .docker: "\(name)@\(rawValue)"
        }
    }
}
