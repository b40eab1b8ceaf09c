import Proxy
import TLS

/// The section `tls` of one file.
struct TLSDraft {
    let diagnostics: Diagnostics
    private(set) var certificates: [(value: SettingValue, certificate: TLSSettings.Certificate)] = []
    private(set) var defaultCertificate: (value: SettingValue, certificate: TLSSettings.Certificate?)?
    private(set) var options: [(value: SettingValue, options: TLSOptions)] = []

    private static let storeName = "default"

    init(_ section: SettingSection, of diagnostics: Diagnostics, _ context: HTTPContext) {
        self.diagnostics = diagnostics
        section.check(known: ["certificates", "stores", "options"])
        for element in section["certificates"]?.list() ?? [] {
            guard let pair = element.section() else { continue }
            pair.check(known: ["certFile", "keyFile", "stores"])
            for store in pair["stores"]?.list() ?? [] where store.string().map({ $0 != Self.storeName }) ?? false {
                store.diagnostic("names a store that does not exist: the only store is \(Self.storeName)")
            }
            if let certificate = Self.certificate(pair, context) { certificates.append((element, certificate)) }
        }
        readStores(section.section("stores"), context)
        for (name, value) in HTTPDraft.named(section.section("options")) {
            guard let inner = value.section() else { continue }
            options.append((value, TLSOptions(named: name, inner, context)))
        }
    }

    private mutating func readStores(_ stores: SettingSection?, _ context: HTTPContext) {
        stores?.check(known: [Self.storeName])
        guard let store = stores?.section(Self.storeName) else { return }
        store.check(known: ["defaultCertificate"], unavailable: ["defaultGeneratedCert"])
        guard let value = store["defaultCertificate"], let pair = value.section() else { return }
        pair.check(known: ["certFile", "keyFile"])
        defaultCertificate = (value, Self.certificate(pair, context))
    }

    // MARK: Certificates

    /// - Parameter isServer: whether clients see it, so that it must cover a name.
    static func certificate(
        _ pair: SettingSection, _ context: HTTPContext, isServer: Bool = true
    ) -> TLSSettings.Certificate? {
        let chain = pair.required("certFile", "name the file of the certificate, with its chain")
        let key = pair.required("keyFile", "name the file of the certificate's key")
        guard let chain, let key, let chainText = chain.nonEmptyString(), let keyText = key.nonEmptyString(),
            let chainBytes = bytes(chain, chainText, context), let keyBytes = bytes(key, keyText, context)
        else { return nil }
        do throws(ServerCertificate.Fault) {
            let certificate = try context.certificateFiles.certificate(
                .init(certificate: chainText, key: keyText), chain: chainBytes, key: keyBytes)
            chain.warn(of: certificate.facts, name(chainText), "clients refuse it", now: context.now)
            if certificate.facts.keyKind == .other {
                key.diagnostic("\(name(keyText))is of a kind that is not served: use P-256, P-384 or RSA")
            }
            if isServer, certificate.facts.hostNames.isEmpty {
                chain.warning("\(name(chainText))covers no host name: it serves only as the default")
            }
            return TLSSettings.Certificate(certificate: certificate, origin: chain.origin)
        } catch {
            let (value, text) = error.isOfKey ? (key, keyText) : (chain, chainText)
            value.diagnostic("\(name(text))\(error.words)")
            return nil
        }
    }

    /// PEM text is not shown.
    private static func name(_ text: String) -> String { text.hasPrefix("-----BEGIN") ? "" : text + " " }

    static func bytes(_ value: SettingValue, _ text: String, _ context: HTTPContext) -> [UInt8]? {
        do throws(FileContents.Failure) {
            return try context.certificateFiles.bytes(of: text)
        } catch {
            value.diagnostic("\(name(text))\(error.reason): name a PEM file that Limpet can read")
            return nil
        }
    }
}
