import Proxy
import Routing
import TLS

extension TLSOptions {
    /// `tls.options.<name>`.
    init(named name: String, _ section: SettingSection, _ context: HTTPContext) {
        self.init(name: name)
        section.check(
            known: [
                "minVersion", "maxVersion", "cipherSuites", "curvePreferences", "clientAuth", "sniStrict",
                "alpnProtocols", "disableSessionTickets",
            ], unavailable: ["preferServerCipherSuites"])
        if let version = section["minVersion"].flatMap(Self.version) { minVersion = version }
        if let version = section["maxVersion"].flatMap(Self.version) { maxVersion = version }
        if minVersion > maxVersion { section.diagnostic("must not be less than minVersion", key: "maxVersion") }
        sniStrict = section["sniStrict"]?.bool() ?? false
        issuesTickets = !(section["disableSessionTickets"]?.bool() ?? false)
        cipherSuites = section["cipherSuites"].flatMap { suites($0) }
        curves = section["curvePreferences"].flatMap(Self.curves)
        if let value = section["alpnProtocols"] { applicationProtocols = Self.protocols(value) }
        if let auth = section.section("clientAuth") { readClientAuth(auth, context) }
    }

    private static func version(_ value: SettingValue) -> Version? {
        if let text = value.text, ["versiontls10", "versiontls11"].contains(text.lowercased()) {
            value.diagnostic("\(text) is not served: use VersionTLS12 or VersionTLS13")
            return nil
        }
        return value.choice(Version.self)
    }

    /// The suites of TLS 1.3, which are always served.
    private static let suitesOf13 = [
        "TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256",
    ]
    /// Other names that Go has for a suite.
    private static let suiteAliases = [
        "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305": CipherSuite.rsaChaCha20,
        "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305": .ecdsaChaCha20,
    ]

    private func suites(_ value: SettingValue) -> [CipherSuite]? {
        var suites: [CipherSuite] = []
        var isRight = true
        for element in value.list() {
            guard let text = element.string() else { continue }
            if Self.suitesOf13.contains(text) { continue }
            if let suite = CipherSuite(rawValue: text) ?? Self.suiteAliases[text] {
                suites.append(suite)
                continue
            }
            isRight = false
            let known = CipherSuite.allCases.map(\.rawValue)
            let nearest = SpellingSuggestion.nearest(to: text, among: known).map { ", did you mean \($0)?" }
            element.diagnostic("cipher suite \(Excerpt.of(text)) is not served\(nearest ?? "")")
        }
        if suites.isEmpty, isRight, minVersion == .tls12 {
            value.diagnostic("names no suite of TLS 1.2: add one, or set minVersion to VersionTLS13")
        }
        return suites.isEmpty ? nil : suites
    }

    private static func curves(_ value: SettingValue) -> [KeyExchange]? {
        let curves = value.list().compactMap { $0.choice(KeyExchange.self) }
        if curves.isEmpty, value.list().isEmpty { value.diagnostic("must name a curve, such as X25519") }
        return curves.isEmpty ? nil : curves
    }

    /// In the order of preference. What Traefik answers itself is accepted and not offered.
    private static func protocols(_ value: SettingValue) -> [String] {
        let served = ["h2", "http/1.1"]
        let elements = value.list()
        for element in elements {
            guard let text = element.string(), !(served + ["acme-tls/1"]).contains(text) else { continue }
            element.diagnostic("protocol \(Excerpt.of(text)) is not served: use h2 or http/1.1")
        }
        let offered = elements.compactMap(\.text).filter(served.contains)
        if offered.isEmpty { value.warning("names no protocol that is served: add h2 or http/1.1") }
        return offered
    }

    private mutating func readClientAuth(_ section: SettingSection, _ context: HTTPContext) {
        section.check(known: ["caFiles", "clientAuthType"], unavailable: ["secretNames"])
        let files = section["caFiles"]?.list() ?? []
        for file in files {
            guard let text = file.nonEmptyString(), let bytes = TLSDraft.bytes(file, text, context) else { continue }
            do throws(ServerCertificate.Fault) {
                clientAuthorities += try ServerCertificate.authorities(bytes)
            } catch {
                file.diagnostic("\(text.hasPrefix("-----BEGIN") ? "" : text + " ")contains no certificate in PEM form")
            }
        }
        guard let type = section["clientAuthType"] else {
            // Go's default: authorities alone demand nothing.
            if !files.isEmpty {
                section.diagnostic("is missing: without it no certificate is asked for", key: "clientAuthType")
            }
            return
        }
        clientAuth = type.choice(ClientAuth.self) ?? .none
        if clientAuth.isVerifying, files.isEmpty {
            section.diagnostic(
                "is missing: name the authorities that client certificates are verified by", key: "caFiles")
        }
    }
}
