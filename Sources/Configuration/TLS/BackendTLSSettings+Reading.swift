import Proxy
import Routing
import TLS

extension BackendTLSSettings {
    static let keys = ["serverName", "insecureSkipVerify", "rootCAs", "certificates", "disableHTTP2", "peerCertURI"]

    /// The TLS keys of `serversTransports.<name>`.
    init(_ section: SettingSection, _ context: HTTPContext) {
        self.init()
        client.serverName = section["serverName"].flatMap(Self.serverName)
        client.isInsecure = section["insecureSkipVerify"]?.bool() ?? false
        disablesHTTP2 = section["disableHTTP2"]?.bool() ?? false
        client.peerURI = section["peerCertURI"]?.nonEmptyString()
        if let files = section["rootCAs"]?.list(), !files.isEmpty {
            client.authorities = files.flatMap { Self.authorities($0, context) }
        }
        let certificates = section["certificates"]?.list() ?? []
        if certificates.count > 1 {
            section.diagnostic("must be one: backends are shown the same", key: "certificates")
        }
        client.certificate = certificates.first?.section().flatMap { pair in
            pair.check(known: ["certFile", "keyFile"])
            return TLSDraft.certificate(pair, context, isServer: false)?.certificate
        }
    }

    static func serverName(_ value: SettingValue) -> String? {
        guard let text = value.nonEmptyString() else { return nil }
        guard let name = ServerName.normalized(text.utf8) else {
            value.diagnostic("\(Excerpt.of(text)) is not a host name")
            return nil
        }
        return name
    }

    private static func authorities(_ value: SettingValue, _ context: HTTPContext) -> [[UInt8]] {
        guard let text = value.nonEmptyString(), let bytes = TLSDraft.bytes(value, text, context) else { return [] }
        do throws(ServerCertificate.Fault) {
            return try ServerCertificate.authorities(bytes)
        } catch {
            value.diagnostic("\(text.hasPrefix("-----BEGIN") ? "" : text + " ")contains no certificate in PEM form")
            return []
        }
    }
}
