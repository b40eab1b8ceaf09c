import Foundation
import LimpetTestKit
import Proxy
import TLS
import Testing

@testable import Configuration

@Suite("TLS in a configuration")
struct ConfigurationTLSTests {
    private let authority: TestAuthority
    private let directory: String

    init() throws {
        directory = TemporaryFile.path()
        authority = try TestAuthority(in: directory)
    }

    /// Reads a file with `DIR` in place of the folder of certificates, at entry points web (0) and websecure (1), of
    /// which the second has TLS if that is said.
    private func read(_ yaml: String, secure: EntryPointTLSSettings? = nil) -> HTTPReading {
        var http = EntryPointHTTPSettings()
        http.tls = secure
        let text = yaml.replacingOccurrences(of: "DIR", with: directory)
        return HTTPReading(
            files: [SourceText(name: "f", text: text, role: .dynamic)], containers: [],
            context: HTTPContext(
                entryPoints: [
                    EntryPointSettings(name: "web", address: ListenAddress(host: nil, port: 80), trustedPeers: []),
                    EntryPointSettings(
                        name: "websecure", address: ListenAddress(host: nil, port: 443), trustedPeers: [], http: http),
                ], lease: .milliseconds(500)))
    }

    private func diagnostics(_ yaml: String, secure: EntryPointTLSSettings? = nil) -> [String] {
        read(yaml, secure: secure).diagnostics.map { "\($0)".replacingOccurrences(of: directory, with: "DIR") }
    }

    private static let service = "services: { s: { loadBalancer: { servers: [{ url: \"http://a\" }] } } }"

    private func http(_ routers: String, tls: String = "") -> String {
        "http: { routers: { \(routers) }, \(Self.service) }\n\(tls)"
    }

    @Test("certificates, the default and options are read; routers have TLS where they or their entry points say so")
    func whole() throws {
        _ = try authority.issue("shop", "DNS:shop.example,DNS:*.shop.example", algorithm: .rsa2048)
        _ = try authority.issue("other", "DNS:default.example", algorithm: .rsa2048)
        let tls = """
            tls:
              certificates: [{ certFile: DIR/shop.pem, keyFile: DIR/shop.key, stores: [default] }]
              stores: { default: { defaultCertificate: { certFile: DIR/other.pem, keyFile: DIR/other.key } } }
              options:
                mutual:
                  minVersion: VersionTLS13
                  clientAuth: { clientAuthType: RequireAndVerifyClientCert, caFiles: [DIR/ca.pem] }
                  alpnProtocols: [h2, http/1.1]
                default: { cipherSuites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, TLS_AES_128_GCM_SHA256], sniStrict: true }
            """
        let routers = """
            a: { rule: Host(`shop.example`), service: s, tls: { options: mutual } },
            b: { rule: Host(`api.shop.example`) && Path(`/x`), service: s, entryPoints: [websecure] },
            c: { rule: Host(`plain.example`), service: s, entryPoints: [web] }
            """
        let reading = read(http(routers, tls: tls), secure: EntryPointTLSSettings())
        #expect(reading.diagnostics.map(\.description) == [])
        let settings = try #require(reading.configuration)
        #expect(
            settings.tls.certificates.map(\.certificate.facts.hostNames.first) == ["shop.example", "default.example"])
        #expect(settings.tls.defaultCertificate == 1)
        #expect(settings.tls.options.map(\.name) == ["default", "mutual"])
        #expect(settings.tls.options[0].cipherSuites == [.rsaAES128GCM] && settings.tls.options[0].sniStrict)
        let mutual = settings.tls.options[1]
        #expect(mutual.clientAuth == .requireAndVerify && mutual.clientAuthorities.count == 1)
        #expect(mutual.applicationProtocols == ["h2", "http/1.1"] && mutual.minVersion == .tls13)
        let hosts = TLSServing.HostOptions(named: ["shop.example": 1])
        #expect(settings.tls.hostOptions == [hosts, hosts])
        #expect(settings.routers.map(\.secureEntryPoints) == [[0, 1], [1], []])
    }

    @Test("a certificate that cannot serve is named at its place")
    func faults() throws {
        let one = try authority.issue("one", "DNS:one.example")
        _ = try authority.issue("two", "DNS:two.example")
        _ = try authority.issue("old", "DNS:old.example", isExpired: true)
        _ = try authority.issue("soon", "DNS:soon.example", days: 3)
        try TestAuthority.openssl(
            "pkcs8 -topk8 -v2 aes256 -in \(one.key) -out \(directory)/locked.key", ["-passout", "pass:x"], in: directory
        )
        try TextFile.write(
            try TextFile.read(authority.root.certificate) + TextFile.read(one.certificate), to: "\(directory)/order.pem"
        )
        let tls = """
            tls:
              certificates:
                - { certFile: DIR/one.pem, keyFile: DIR/two.key }
                - { certFile: DIR/order.pem, keyFile: DIR/one.key }
                - { certFile: DIR/one.pem, keyFile: DIR/locked.key }
                - { certFile: DIR/gone.pem, keyFile: DIR/one.key }
                - { certFile: DIR/one.key, keyFile: DIR/one.key }
                - { certFile: DIR/one.pem, keyFile: DIR/one.pem, stores: [other] }
                - { certFile: DIR/old.pem, keyFile: DIR/old.key }
                - { certFile: DIR/soon.pem, keyFile: DIR/soon.key }
                - { certFile: DIR/one.pem, keyfil: DIR/one.key }
            """
        let all = diagnostics(http("", tls: tls))
        let expected = [
            "f:4: tls.certificates[0].keyFile: DIR/two.key is the key of another certificate: name the one that this "
                + "certificate was issued for",
            "f:5: tls.certificates[1].certFile: DIR/order.pem must begin with the certificate of the key, before its chain",
            "f:6: tls.certificates[2].keyFile: DIR/locked.key contains an encrypted key: decrypt it, with openssl pkey for one",
            "f:7: tls.certificates[3].certFile: DIR/gone.pem cannot be read: no such file or directory: name "
                + "a PEM file that Limpet can read",
            "f:8: tls.certificates[4].certFile: DIR/one.key contains no certificate in PEM form",
            "f:9: tls.certificates[5].keyFile: DIR/one.pem contains no private key in PEM form",
            "f:9: tls.certificates[5].stores[0]: names a store that does not exist: the only store is default",
            "f:10: warning: tls.certificates[6].certFile: DIR/old.pem expired on 2020-12-31, and clients refuse it: renew it",
            "f:12: tls.certificates[8].keyFile: is missing: name the file of the certificate's key",
            "f:12: tls.certificates[8].keyfil: unknown key, did you mean keyFile?",
        ]
        // Columns depend on the length of the folder's name.
        let found = all.map { $0.replacing(/^(f:[0-9]+):[0-9]+/) { "\($0.1)" } }
        #expect(found.filter { !$0.contains("soon.pem") } == expected, "\(found)")
        #expect(found.contains { $0.contains("DIR/soon.pem expires on ") && $0.contains(/, in [23] days$/) })
    }

    @Test("options that are wrong are named at their place")
    func options() {
        let tls = """
            tls:
              options:
                a: { minVersion: VersionTLS11, maxVersion: VersionTLS14 }
                b: { minVersion: VersionTLS13, maxVersion: VersionTLS12 }
                c: { cipherSuites: [TLS_RSA_WITH_AES_128_CBC_SHA], curvePreferences: [X25518] }
                d: { cipherSuites: [TLS_AES_128_GCM_SHA256], alpnProtocols: [acme-tls/1] }
                e: { clientAuth: { clientAuthType: RequireAndVerifyClientCert } }
                f: { clientAuth: { caFiles: [DIR/ca.pem] } }
                g: { clientAuth: { clientAuthType: VerifyAll, caFiles: [DIR/ca.key] } }
                h: { sniStrikt: true, alpnProtocols: [spdy/3] }
            """
        let messages = diagnostics(http("", tls: tls)).map { $0.components(separatedBy: ": tls.options.").last ?? "" }
        let expected = [
            "a.minVersion: VersionTLS11 is not served: use VersionTLS12 or VersionTLS13",
            "a.maxVersion: is VersionTLS14: must be one of versiontls12, versiontls13",
            "b.maxVersion: must not be less than minVersion",
        ]
        #expect(Array(messages.prefix(3)) == expected, "\(messages)")
        for part in [
            "c.cipherSuites[0]: cipher suite TLS_RSA_WITH_AES_128_CBC_SHA is not served",
            "c.curvePreferences[0]: is X25518",
            "d.cipherSuites: names no suite of TLS 1.2", "d.alpnProtocols: names no protocol that is served",
            "e.clientAuth.caFiles: is missing", "f.clientAuth.clientAuthType: is missing",
            "g.clientAuth.clientAuthType: is VerifyAll", "g.clientAuth.caFiles[0]: DIR/ca.key contains no certificate",
            "h.sniStrikt: unknown key, did you mean sniStrict?", "h.alpnProtocols[0]: protocol spdy/3 is not served",
        ] {
            #expect(messages.contains { $0.hasPrefix(part) }, "\(part): \(messages)")
        }
    }

    @Test("hosts that no certificate covers are named; a resolver is a warning where one serves, else an error")
    func coverage() throws {
        _ = try authority.issue("shop", "DNS:shop.example,DNS:*.shop.example")
        let certificate = "{ certFile: DIR/shop.pem, keyFile: DIR/shop.key }"
        let tls = "tls: { certificates: [\(certificate)] }"
        let withDefault = "tls: { stores: { default: { defaultCertificate: \(certificate) } } }"
        func router(_ host: String, _ tls: String) -> String { "r: { rule: Host(`\(host)`), service: s, tls: \(tls) }" }
        func found(_ routers: String, _ tls: String) -> [String] {
            diagnostics(http(routers, tls: tls)).map { $0.components(separatedBy: ": http.routers.r.").last ?? "" }
        }
        #expect(found(router("shop.example", "true"), tls) == [])
        #expect(found(router("api.shop.example", "{}"), tls) == [])
        #expect(
            found(router("other.example", "{}"), tls)
                == ["tls: no certificate covers other.example: clients that ask for it are refused"])
        #expect(
            found(router("other.example", "{}"), withDefault)
                == ["tls: no certificate covers other.example: clients get the default certificate"])
        #expect(
            found(router("shop.example", "{ certResolver: le }"), tls)
                == ["tls.certResolver: certResolver has no effect: certificates are those of tls.certificates"])
        #expect(
            found(router("other.example", "{ certResolver: le }"), tls) == [
                "tls.certResolver: certResolver is not available in this version, and no certificate covers "
                    + "other.example: add one to tls.certificates"
            ])
        #expect(
            found(router("shop.example", "{ certResolver: le, domains: [{ main: a.b.shop.example, sans: [x] }] }"), tls)
                .first?.contains("no certificate covers a.b.shop.example, x") == true)
    }

    @Test("a host has one set of options; a router without options does not lift those of another")
    func conflicts() throws {
        let tls = "tls: { options: { x: {}, y: { sniStrict: true } } }"
        let routers = """
            a: { rule: Host(`h`) && Path(`/a`), service: s, tls: { options: x } },
            b: { rule: Host(`h`) && Path(`/b`), service: s, tls: {} },
            c: { rule: Host(`h`) && Path(`/c`), service: s, tls: { options: y } },
            d: { rule: Path(`/d`), service: s, tls: { options: x } },
            e: { rule: Host(`e`), service: s, tls: { options: z } }
            """
        let found = diagnostics(http(routers, tls: tls)).filter { !$0.contains("no certificate") }
        #expect(found.count == 4 && Set(found).count == 3, "\(found)")
        #expect(found.contains { $0.contains("routers.c.tls.options: gives h other TLS options than f:1 does") })
        #expect(found.contains { $0.contains("routers.d.tls.options: has no effect: options are chosen by the name") })
        #expect(found.contains { $0.contains("routers.e.tls.options: TLS options z are not defined") })
        let right = http(
            "a: { rule: Host(`h`), service: s, tls: { options: x } }, b: { rule: Host(`h`), service: s, tls: {} }",
            tls: tls)
        let hosts = TLSServing.HostOptions(named: ["h": 1])
        #expect(read(right).configuration?.tls.hostOptions == [hosts, hosts])
    }

    private static let demands =
        "tls: { options: { mutual: { clientAuth: { clientAuthType: RequireAnyClientCert } }, all: {}, other: {} } }"

    private func secured(_ routers: String) -> (hosts: TLSServing.HostOptions?, said: [String]) {
        let reading = read(
            http(routers, tls: Self.demands), secure: EntryPointTLSSettings(options: "mutual"))
        return (
            reading.configuration?.tls.hostOptions[1],
            reading.diagnostics.map(\.description).filter { !$0.contains("no certificate covers") }
        )
    }

    @Test("options of an entry point count for every host there, but where a router names others")
    func entryPoint() {
        let unsaid = secured(
            """
            a: { rule: Host(`a`), service: s }, b: { rule: Path(`/b`), service: s },
            c: { rule: Host(`c`), service: s, entryPoints: [websecure], tls: {} },
            d: { rule: Path(`/d`), service: s, entryPoints: [websecure], tls: { options: mutual } }
            """)
        #expect(unsaid.hosts == .init(standard: 1) && unsaid.said == [], "\(unsaid)")
        let named = secured(
            """
            a: { rule: Host(`a`), service: s, tls: { options: all } }, b: { rule: Host(`b`), service: s, tls: {} },
            c: { rule: Host(`c`), service: s, tls: { options: default } }
            """)
        #expect(named.hosts == .init(standard: 1, named: ["a": 2, "c": 0]) && named.said == [], "\(named)")
        let contrary = secured(
            """
            a: { rule: Host(`a`), service: s, entryPoints: [websecure], tls: { options: all } },
            b: { rule: Host(`a`) && Path(`/b`), service: s, entryPoints: [websecure], tls: { options: default } },
            c: { rule: Host(`c`), service: s, entryPoints: [websecure], tls: { options: mutual } },
            d: { rule: Host(`c`) && Path(`/d`), service: s, entryPoints: [websecure], tls: { options: other } },
            e: { rule: Host(`10.0.0.1`), service: s, entryPoints: [websecure], tls: { options: other } }
            """)
        #expect(contrary.said.count == 3, "\(contrary)")
        for (said, part) in zip(
            contrary.said,
            ["gives a other TLS options than f:1", "gives c other TLS options than f:3", "no effect for 10.0.0.1: "])
        {
            #expect(said.contains(part), "\(said)")
        }
    }

    @Test("routers that are reached without the certificate that their entry point demands are named")
    func openHosts() {
        let open = "open: { rule: Host(`o.x`), service: s, entryPoints: [websecure], tls: { options: all } }"
        func found(_ rule: String, _ more: String = "") -> [String] {
            secured("\(open), r: { rule: \"\(rule)\", service: s, entryPoints: [websecure]\(more) }").said
        }
        let warning =
            "http.routers.r: takes requests for o.x, too, whose TLS options demand less of clients than those of entry "
            + "point websecure: exclude it with !Host, or name other hosts"
        for rule in ["PathPrefix(`/`)", "Host(`*.x`)", "Host(`o.x`) && Path(`/r`)", "Host(`a`) || Path(`/`)"] {
            let said = found(rule)
            #expect(said.count == 1 && said[0].hasSuffix(warning) && said[0].contains(": warning: "), "\(said)")
        }
        for rule in ["Host(`a.x`)", "PathPrefix(`/`) && !Host(`o.x`)", "Host(`*.y`)"] { #expect(found(rule) == []) }
        let unbound = found("Host(`a`) || Path(`/r`)", ", tls: { options: other }")
        #expect(unbound.count == 1 && unbound[0].contains("tls.options: counts for a alone"), "\(unbound)")
    }

    @Test("options that fit no certificate which they would serve are named, and so is a key that nothing signs with")
    func misfits() throws {
        _ = try authority.issue("ec", "DNS:ec.example")
        _ = try authority.issue("rsa", "DNS:rsa.example", algorithm: .rsa2048)
        let certificates = ["ec", "rsa"].map { "{ certFile: DIR/\($0).pem, keyFile: DIR/\($0).key }" }
        func found(_ options: String, _ host: String, _ maximum: String = "VersionTLS12") -> [String] {
            let tls = """
                tls:
                  certificates: [\(certificates.joined(separator: ", "))]
                  options: { \(options): { cipherSuites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256], maxVersion: \(maximum) } }
                """
            let named = options == "default" ? "{}" : "{ options: \(options) }"
            return diagnostics(http("a: { rule: Host(`\(host)`), service: s, tls: \(named) }", tls: tls))
        }
        #expect(found("x", "rsa.example") == [])
        #expect(
            found("x", "ec.example") == [
                "f:4:17: tls.options.x: no cipher suite fits the certificate at f:3, whose key is ECDSA"
            ])
        #expect(
            found("x", "ec.example", "VersionTLS13") == [
                "f:4:17: warning: tls.options.x: no cipher suite of TLS 1.2 fits the certificate at f:3, whose key is "
                    + "ECDSA: clients without TLS 1.3 are refused"
            ])
        // Every certificate serves under the default options.
        #expect(
            found("default", "rsa.example") == [
                "f:4:23: tls.options.default: no cipher suite fits the certificate at f:3, whose key is ECDSA"
            ])
        try TestAuthority.openssl(
            "req -x509 -newkey ed25519 -nodes -days 90 -keyout \(directory)/ed.key -out \(directory)/ed.pem",
            ["-subj", "/CN=ed", "-addext", "subjectAltName=DNS:ed.example"], in: directory)
        let ed = diagnostics(http("", tls: "tls: { certificates: [{ certFile: DIR/ed.pem, keyFile: DIR/ed.key }] }"))
        #expect(ed.count == 1 && ed[0].hasSuffix("DIR/ed.key is of a kind that is not served: use P-256, P-384 or RSA"))
    }

    @Test("servers with https take the keys of their transport")
    func backends() throws {
        let pair = try authority.issue("client", "DNS:client.example")
        let yaml = """
            http:
              serversTransports:
                t: { rootCAs: [DIR/ca.pem], serverName: Inner.Example, insecureSkipVerify: true, disableHTTP2: true,
                     peerCertURI: "spiffe://a/b", certificates: [{ certFile: DIR/client.pem, keyFile: DIR/client.key }] }
                wrong: { rootCAs: [DIR/ca.key], serverName: "a b", cipherSuites: [x], certificates: [{}] }
              services:
                s: { loadBalancer: { serversTransport: t, servers: [{ url: "https://a" }, { url: "https://b:1/" }] } }
            """
        let reading = read(yaml.components(separatedBy: "\n").filter { !$0.contains("wrong:") }.joined(separator: "\n"))
        let service = try #require(reading.configuration?.services.first)
        #expect(service.backends.map(\.port) == [443, 1] && service.backends.allSatisfy(\.isSecure))
        let tls = service.transport.tls
        #expect(tls.client.serverName == "inner.example" && tls.client.isInsecure && tls.client.authorities?.count == 1)
        #expect(tls.client.peerURI == "spiffe://a/b" && tls.disablesHTTP2)
        let expected = try ServerCertificate(chain: pair.certificateBytes, key: pair.keyBytes)
        #expect(tls.client.certificate == expected)
        let messages = diagnostics(yaml).map { $0.components(separatedBy: "serversTransports.wrong.").last ?? "" }
        #expect(
            messages == [
                "rootCAs[0]: DIR/ca.key contains no certificate in PEM form", "serverName: a b is not a host name",
                "cipherSuites: is not available in this version",
                "certificates[0].certFile: is missing: name the file of the certificate, with its chain",
                "certificates[0].keyFile: is missing: name the file of the certificate's key",
            ], "\(messages)")
    }
}
