import Store

extension FleetSettings {
    static let secretVariable = "LIMPET_FLEET_SECRET"
    private static let keyFilesMax = 16

    /// - Parameter root: where an error is reported if the section is missing.
    init(_ section: SettingSection?, of root: SettingSection, _ process: ProcessEnvironment) {
        section?.check(known: ["secret", "secretFile", "cookieKeyFiles", "namespace"])
        secret = Self.secret(section, of: root, process)
        cookieKeys = (section?["cookieKeyFiles"]?.list() ?? []).compactMap { Secret(file: $0)?.longEnough($0) }
        if cookieKeys.count > Self.keyFilesMax {
            section?["cookieKeyFiles"]?.diagnostic("must not name more than \(Self.keyFilesMax) files")
        }
        namespace = section?["namespace"].flatMap(Self.namespace) ?? .limpet
    }

    /// Whether a secret is configured, readable or not.
    static func namesSecret(_ section: SettingSection?, _ process: ProcessEnvironment) -> Bool {
        section?["secret"] != nil || section?["secretFile"] != nil || process.environment[secretVariable] != nil
    }

    private static func secret(_ section: SettingSection?, of root: SettingSection, _ process: ProcessEnvironment)
        -> Secret?
    {
        if let section, let value = section["secret"] {
            if section["secretFile"] != nil { value.diagnostic("cannot be combined with secretFile") }
            return value.string().flatMap { Secret(Array($0.utf8)).longEnough(value) }
        }
        if let value = section?["secretFile"] { return Secret(file: value)?.longEnough(value) }
        guard let text = process.environment[secretVariable] else { return nil }
        let secret = Secret(Array(text.utf8))
        guard secret.bytes.count < Secret.byteCountMin else { return secret }
        root.diagnostic(Secret.tooShort(secret.bytes.count, "\(secretVariable) "), key: "fleet.secret")
        return nil
    }

    private static func namespace(_ value: SettingValue) -> StoreNamespace? {
        guard let text = value.nonEmptyString() else { return nil }
        guard let namespace = StoreNamespace(text) else {
            value.diagnostic("must be 1 to 64 characters: letters, digits and . _ - :")
            return nil
        }
        return namespace
    }
}

extension Secret {
    private static let byteCountMax = 65536

    /// The contents of the file that the value names, without trailing line ends.
    init?(file value: SettingValue) {
        guard let path = value.nonEmptyString() else { return nil }
        do throws(FileContents.Failure) {
            var bytes = try FileContents.bytes(of: path, byteCountMax: Self.byteCountMax)
            while let last = bytes.last, last == UInt8(ascii: "\n") || last == UInt8(ascii: "\r") { bytes.removeLast() }
            self.init(bytes)
        } catch {
            value.diagnostic("\(path) \(error.reason)")
            return nil
        }
    }

    func longEnough(_ value: SettingValue) -> Secret? {
        guard bytes.count < Self.byteCountMin else { return self }
        value.diagnostic(Self.tooShort(bytes.count))
        return nil
    }

    static func tooShort(_ count: Int, _ what: String = "") -> String {
        "\(what)has \(count) bytes, but needs at least \(byteCountMin)"
    }
}
