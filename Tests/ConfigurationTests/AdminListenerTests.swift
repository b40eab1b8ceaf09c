import Foundation
import LimpetTestKit
import Proxy
import Testing

@testable import Configuration

@Suite("The admin listener in a configuration")
struct AdminListenerTests {
    private let directory = TemporaryFile.path()
    private let authority: TestAuthority

    init() throws {
        authority = try TestAuthority(in: directory)
        _ = try authority.issue("admin", "DNS:admin.example")
    }

    private func read(_ yaml: String) -> (configuration: Configuration?, messages: [String]) {
        let text = yaml.replacingOccurrences(of: "DIR", with: directory)
        do throws(ConfigurationRefusal) {
            let file = try ConfigurationFile(yaml: text, file: "f", process: .current)
            return (file.configuration, file.warnings.map(\.description))
        } catch {
            return (nil, error.diagnostics.map(\.description))
        }
    }

    private static let certificate = "{ certFile: DIR/admin.pem, keyFile: DIR/admin.key }"

    @Test(
        "is on loopback without more",
        arguments: ["127.0.0.1:1", "127.8.0.1:1", "[::1]:1", "localhost:1", "LocalHost:1", "[::ffff:127.0.0.1]:1"])
    func loopback(_ address: String) {
        let (configuration, messages) = read("entryPoints: { admin: { address: \"\(address)\" } }\n")
        #expect(configuration?.admin.isLoopback == true && messages == [])
    }

    @Test(
        "has TLS anywhere else",
        arguments: [
            ":1", "0.0.0.0:1", "[::]:1", "10.0.0.5:1", "[::ffff:10.0.0.5]:1", "127.example:1", "localhost.example:1",
        ])
    func exposed(_ address: String) {
        for http in ["", ", http: {}", ", http: { tls: false }"] {
            let (configuration, messages) = read("entryPoints: { admin: { address: \"\(address)\"\(http) } }\n")
            #expect(configuration == nil)
            #expect(
                messages == [
                    "f:1:34: entryPoints.admin.address: is not an address of loopback, and without TLS everybody on the "
                        + "way reads it: write 127.0.0.1:1, or set http.tls"
                ])
        }
        let secure = read(
            "entryPoints: { admin: { address: \"\(address)\", http: { tls: true } } }\n"
                + "tls: { stores: { default: { defaultCertificate: \(Self.certificate) } } }\n")
        #expect(secure.messages == [] && secure.configuration?.http.tls.adminOptions == 0)
    }

    @Test("needs a certificate, and options that are defined; without a default one it says what is missing")
    func certificates() throws {
        func messages(_ tls: String, _ dynamic: String) -> [String] {
            read("entryPoints: { admin: { address: \":1\", http: { tls: \(tls) } } }\n\(dynamic)").messages
        }
        #expect(
            messages("true", "") == [
                "f:1:53: entryPoints.admin.http.tls: no certificate serves the admin listener: add one to tls.certificates"
            ])
        let named = "tls: { certificates: [\(Self.certificate)], options: { mutual: { sniStrict: true } } }\n"
        let byAddress =
            "entryPoints.admin.http.tls: there is no default certificate: clients that ask by an address, "
            + "such as https://127.0.0.1, are refused"
        #expect(messages("{}", named) == ["f:1:53: warning: \(byAddress)"])
        #expect(
            messages("{ options: mutal }", named) == [
                "f:1:53: warning: \(byAddress)",
                "f:1:64: entryPoints.admin.http.tls.options: TLS options mutal are not defined, did you mean mutual?",
            ])
        #expect(messages("{ certResolver: le }", named).last?.contains("certResolver has no effect") == true)
        #expect(messages("{ optons: x }", named).contains { $0.contains("unknown key, did you mean options?") })
        let right = read(
            "entryPoints: { admin: { address: \":1\", http: { tls: { options: mutual } } } }\n\(named)")
        let tls = try #require(right.configuration?.http.tls)
        #expect(tls.adminOptions.map { tls.options[$0].name } == "mutual")
        let other = read("entryPoints: { web: { address: \":2\", http: { tls: { options: none } } } }\n\(named)")
        #expect(
            other.messages == [
                "f:1:62: entryPoints.web.http.tls.options: TLS options none are not defined"
            ])
    }
}
