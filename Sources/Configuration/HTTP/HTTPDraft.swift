/// The routers, services and middlewares that one source defines, before references are resolved.
struct HTTPDraft {
    let provider: ProviderName
    let diagnostics: Diagnostics
    var routers: [RouterDraft] = []
    var services: [ServiceDraft] = []
    var middlewares: [MiddlewareDraft] = []
    var transports: [ServersTransportDraft] = []

    init(_ provider: ProviderName, _ diagnostics: Diagnostics) {
        self.provider = provider
        self.diagnostics = diagnostics
    }

    /// Reads the section `http` of a file.
    init(_ section: SettingSection, of diagnostics: Diagnostics, _ context: HTTPContext) {
        self.init(.file, diagnostics)
        section.check(known: ["routers", "services", "middlewares", "serversTransports"], unavailable: ["models"])
        transports = ServersTransportDraft.all(section, of: .file, context)
        services = Self.named(section.section("services")).map { name, value in
            ServiceDraft(name: name, value, context)
        }
        middlewares = Self.middlewares(section, of: .file, context)
        routers = Self.named(section.section("routers")).compactMap { name, value in
            RouterDraft(name: name, value, of: .file, context)
        }
    }

    static func middlewares(
        _ section: SettingSection, of provider: ProviderName, _ context: HTTPContext
    ) -> [MiddlewareDraft] {
        named(section.section("middlewares")).map { MiddlewareDraft(name: $0, $1, of: provider, context) }
    }

    /// The entries of a mapping of objects. Reports invalid names.
    static func named(_ section: SettingSection?) -> [(name: String, value: SettingValue)] {
        let entries = section?.entries ?? []
        for (name, value) in entries {
            if name.isEmpty || name.contains("@") || ObjectName.holdsControl(name) {
                value.diagnostics.add(
                    "a name must not be empty or contain @ or control characters", at: value.keyPlace,
                    key: value.key)
            }
        }
        return entries
    }
}

/// What entry points, routers, services, middlewares and servers may be called. Names appear in logs, metrics, messages
/// and responses of the admin listener.
enum ObjectName {
    /// C0, DEL or C1.
    static func holdsControl(_ name: String) -> Bool {
        name.unicodeScalars.contains { $0.value < 0x20 || (0x7F...0x9F).contains($0.value) }
    }
}
