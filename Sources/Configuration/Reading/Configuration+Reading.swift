extension Configuration {
    /// Reads all but the dynamic part.
    ///
    /// - Parameter files: those that `serversTransport` names are among them then.
    init(_ section: SettingSection, _ process: ProcessEnvironment, _ files: CertificateFiles) {
        section.check(
            known: [
                "entryPoints", "providers", "serversTransport", "fleet", "replica", "store", "log", "accessLog", "http",
                "tls",
            ],
            unavailable: [
                "tracing", "certificatesResolvers", "global", "tcpServersTransport", "hostResolver", "experimental",
                "core", "spiffe", "tcp", "udp", "ocsp",
            ],
            alwaysOn: ["api", "ping", "metrics"])
        let listeners = Listeners(section.section("entryPoints"))
        let (storeSection, fleetSection) = (section.section("store"), section.section("fleet"))
        store = StoreOptions(storeSection)
        // Filled in later, together with all other sources.
        http = HTTPConfiguration()
        providers = ProviderSettings(section.section("providers"))
        serversTransport =
            section.section("serversTransport").map {
                ServersTransportSettings(
                    $0, HTTPContext(entryPoints: nil, lease: .zero, certificateFiles: files))
            } ?? .init()
        (entryPoints, admin, adminTLS) = (listeners.entryPoints, listeners.admin, listeners.adminTLS)
        fleet = FleetSettings(fleetSection, of: section, process)
        replica = ReplicaSettings(section.section("replica"), process)
        log = LogSettings(section.section("log"))
        accessLog = section.section("accessLog").map(AccessLogSettings.init)
        if store.redis != nil, fleet.secret == nil, !FleetSettings.namesSecret(fleetSection, process) {
            storeSection?.diagnostic(
                "needs a fleet secret: set fleet.secretFile or \(FleetSettings.secretVariable)",
                key: "redis")
        }
    }
}

extension ReplicaSettings {
    private static let nameByteCountMax = 128

    init(_ section: SettingSection?, _ process: ProcessEnvironment) {
        section?.check(known: ["name", "threads", "directSend"])
        name = section?["name"].flatMap(Self.name) ?? Self.defaultName(process)
        threads = section?["threads"]?.integer(1...1024) ?? max(process.coreCount, 1)
        directSend = section?["directSend"]?.bool() ?? true
    }

    /// Backends receive the name in a header.
    private static func name(_ value: SettingValue) -> String? {
        guard let text = value.nonEmptyString() else { return nil }
        guard text.utf8.count <= nameByteCountMax, text.utf8.allSatisfy(isVisible) else {
            value.diagnostic("must be 1 to \(nameByteCountMax) printable ASCII characters without spaces")
            return nil
        }
        return text
    }

    /// A host name may contain any characters.
    private static func defaultName(_ process: ProcessEnvironment) -> String {
        let suffix = "-\(process.processID)"
        let host = process.hostName.unicodeScalars.prefix(nameByteCountMax - suffix.utf8.count)
            .map { scalar in UInt8(exactly: scalar.value).map(isVisible) == true ? Character(scalar) : "-" }
        return String(host) + suffix
    }

    private static func isVisible(_ byte: UInt8) -> Bool { (0x21...0x7E).contains(byte) }
}

extension LogSettings {
    init(_ section: SettingSection?) {
        section?.check(
            known: ["level", "format"],
            unavailable: ["filePath", "noColor", "maxSize", "maxBackups", "maxAge", "compress"])
        let aliases: [String: Level] = ["warn": .warning, "fatal": .critical, "panic": .critical]
        level = section?["level"]?.choice(Level.self, aliases: aliases) ?? .info
        format = section?["format"]?.choice(Format.self) ?? .json
    }
}

extension AccessLogSettings {
    private enum Format: String, CaseIterable {
        case json
    }

    init(_ section: SettingSection) {
        section.check(
            known: ["format", "filePath"],
            unavailable: ["bufferingSize", "filters", "fields", "addInternals", "dualOutput", "otlp"])
        _ = section["format"]?.choice(Format.self, unavailable: ["common", "genericclf"])
        filePath = section["filePath"]?.nonEmptyString()
    }
}
