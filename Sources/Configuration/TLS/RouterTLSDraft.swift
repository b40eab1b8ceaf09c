import Proxy
import Routing
import TLS

/// `tls` of a router: a mapping, or `true`.
struct RouterTLSDraft {
    /// Where `tls` is written.
    let value: SettingValue
    let options: HTTPReference?
    /// `certResolver`, where it is named.
    let resolver: SettingValue?
    /// The names in `domains`.
    let domains: [(value: SettingValue, name: String)]

    /// Nil without TLS, and after an error.
    init?(_ value: SettingValue?, of provider: ProviderName) {
        guard let value, let section = Self.section(value) else { return nil }
        self.value = value
        section.check(known: ["options", "certResolver", "domains"])
        options = section["options"].flatMap { HTTPReference($0, from: provider) }
        resolver = section["certResolver"].flatMap { $0.nonEmptyString() == nil ? nil : $0 }
        var domains: [(value: SettingValue, name: String)] = []
        for element in section["domains"]?.list() ?? [] {
            guard let domain = element.section() else { continue }
            domain.check(known: ["main", "sans"])
            let names = [domain["main"]].compactMap(\.self) + (domain["sans"]?.list() ?? [])
            for name in names {
                guard let text = name.nonEmptyString() else { continue }
                if let normalized = ServerName.normalized(text.utf8) {
                    domains.append((name, normalized))
                } else {
                    name.diagnostic("\(Excerpt.of(text)) is not a host name")
                }
            }
        }
        self.domains = domains
    }

    /// In labels `tls=true` switches it on; so it does in files.
    private static func section(_ value: SettingValue) -> SettingSection? {
        guard value.text != nil else { return value.section() }
        return value.bool() == true ? SettingSection(value, entries: []) : nil
    }

    func says(theSameAs other: RouterTLSDraft) -> Bool {
        options?.qualified == other.options?.qualified && (resolver == nil) == (other.resolver == nil)
            && domains.map(\.name) == other.domains.map(\.name)
    }

    static func alike(_ one: RouterTLSDraft?, _ other: RouterTLSDraft?) -> Bool {
        guard let one, let other else { return one == nil && other == nil }
        return one.says(theSameAs: other)
    }
}
