import Configuration
import Foundation
import LimpetTestKit
import Testing

@testable import Control

@Suite("explain for requests over TLS")
struct ExplainTLSTests {
    private let directory = TemporaryFile.path()

    init() throws {
        let authority = try TestAuthority(in: directory)
        _ = try authority.issue("shop", "DNS:shop.example,DNS:secret.example,DNS:plain.example")
    }

    private func explain(
        _ url: String, _ fields: [String] = [], entryPoint: String? = nil
    ) async throws -> Explanation {
        let yaml = """
            entryPoints:
              plain: { address: ":8000" }
              strict: { address: ":8444", http: { tls: true } }
              web: { address: ":8443" }
            tls:
              certificates: [{ certFile: DIR/shop.pem, keyFile: DIR/shop.key }]
              options:
                mutual: { clientAuth: { clientAuthType: RequireAndVerifyClientCert, caFiles: [DIR/ca.pem] } }
            http:
              routers:
                shop: { rule: Host(`shop.example`), service: s, entryPoints: [web], tls: {} }
                secret: { rule: Host(`secret.example`), service: s, entryPoints: [web], tls: { options: mutual } }
                http: { rule: "PathPrefix(`/`) && HeaderRegexp(`X-Forwarded-Proto`, `^http$`)", service: s,
                        entryPoints: [plain, web] }
                proto: { rule: "Host(`plain.example`) && Header(`X-Forwarded-Proto`, `https`)", service: s, entryPoints: [web], tls: {} }
                strict: { rule: PathPrefix(`/strict`), service: s, entryPoints: [strict] }
              services: { s: { loadBalancer: { servers: [{ url: "http://127.0.0.1:9" }] } } }

            """
        let text = yaml.replacingOccurrences(of: "DIR", with: directory)
        let configuration = try ReplicaConfiguration.read(text, file: "f")
        let request = try ExplainedRequest(method: "GET", url: url, fields: fields, client: "192.0.2.7")
        return try await Explainer(configuration).explain(request, entryPoint: entryPoint)
    }

    @Test("a router with TLS takes them, others do not; rules see that they came over TLS")
    func routers() async throws {
        let shop = try await explain("https://shop.example:8443/")
        #expect(shop.router?.name == "shop" && shop.status == nil && shop.isServed)
        #expect(shop.tls == Explanation.TLS(options: "default", clientAuthType: "NoClientCert"))
        #expect(
            "\(ExplanationText(shop))".contains("at entry point web, from 192.0.2.7, over TLS with options default\n"))
        let proto = try await explain("https://plain.example:8443/")
        #expect(proto.router?.name == "proto")
        let plain = try await explain("http://shop.example:8443/")
        #expect(plain.router?.name == "http" && plain.tls == nil)
        // Of entry points on other ports, one with TLS is taken.
        let other = try await explain("https://shop.example/")
        #expect(other.router?.name == "shop" && other.entryPoint == "web")
    }

    @Test("a host with other options than the name that is asked for is misdirected, and its own name is served")
    func misdirected() async throws {
        let own = try await explain("https://secret.example:8443/")
        #expect(own.router?.name == "secret" && own.isServed)
        #expect("\(ExplanationText(own))".contains("over TLS with options mutual (RequireAndVerifyClientCert)\n"))
        let crossed = try await explain("https://shop.example:8443/", ["Host: secret.example"])
        #expect(crossed.status == 421 && crossed.router == nil)
        #expect(
            "\(ExplanationText(crossed))".contains(
                "answer     421 from Limpet: the host has other TLS options than the name that the connection is made for"
            ))
    }

    @Test("where TLS is needed, or there is none, or no certificate covers the name, that is the answer")
    func refused() async throws {
        let needed = try await explain("http://shop.example:8444/strict")
        #expect(needed.status == 400 && needed.router == nil && !needed.isServed)
        #expect(needed.reason == "the entry point takes requests over TLS alone: use https")
        let uncovered = try await explain("https://other.example:8443/")
        #expect(uncovered.status == nil && !uncovered.isServed && uncovered.router == nil)
        #expect(
            "\(ExplanationText(uncovered))".contains(
                "answer     none: no certificate covers the name, so the TLS handshake fails (unrecognized_name)"))
        let none = try await explain("https://shop.example:8000/")
        #expect(!none.isServed && none.reason == "the entry point has no TLS, because no router there has it")
    }
}
