import Proxy

extension PassTLSClientCert {
    /// Keys and attribute types, in the order in which Traefik writes them.
    private static let issuer = [
        ("domainComponent", "DC"), ("country", "C"), ("province", "ST"), ("locality", "L"), ("organization", "O"),
        ("serialNumber", "SERIALNUMBER"), ("commonName", "CN"),
    ]
    private static let subject = Array(issuer.prefix(5)) + [("organizationalUnit", "OU")] + Array(issuer.suffix(2))

    init?(_ section: SettingSection) {
        section.check(known: ["pem", "info"])
        let pem = section["pem"]?.bool() ?? false
        let info = section.section("info").map(Self.info)
        if !pem, info == nil { section.diagnostic("passes nothing on: set pem, or info") }
        self.init(pem: pem, info: info)
    }

    private static func info(_ section: SettingSection) -> Info {
        section.check(known: ["notAfter", "notBefore", "sans", "serialNumber", "subject", "issuer"])
        var info = Info()
        info.notAfter = section["notAfter"]?.bool() ?? false
        info.notBefore = section["notBefore"]?.bool() ?? false
        info.sans = section["sans"]?.bool() ?? false
        info.serialNumber = section["serialNumber"]?.bool() ?? false
        info.subject = section.section("subject").map { types($0, subject) }
        info.issuer = section.section("issuer").map { types($0, issuer) }
        return info
    }

    private static func types(_ section: SettingSection, _ known: [(String, String)]) -> [String] {
        section.check(known: known.map(\.0))
        return known.filter { section[$0.0]?.bool() == true }.map(\.1)
    }
}
