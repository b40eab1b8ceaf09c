import Foundation
import LimpetTestKit
import Testing

@testable import Proxy

@Suite("Certificates and their keys")
struct ServerCertificateTests {
    private let authority: TestAuthority
    private let now = Int64(Date().timeIntervalSince1970)

    init() throws { authority = try TestAuthority(in: TemporaryFile.path()) }

    private func fault(_ chain: [UInt8], _ key: [UInt8]) -> ServerCertificate.Fault? {
        do throws(ServerCertificate.Fault) {
            _ = try ServerCertificate(chain: chain, key: key)
            return nil
        } catch {
            return error
        }
    }

    @Test("say who they are, for which names, and how long", arguments: [TestAuthority.Algorithm.p256, .rsa2048])
    func facts(_ algorithm: TestAuthority.Algorithm) throws {
        let pair = try authority.issue(
            "shop",
            "DNS:Shop.example,DNS:*.shop.example,IP:192.0.2.1,IP:2001:db8::1,email:a@b.example,URI:spiffe://x/y",
            days: 40, algorithm: algorithm, subject: "/C=DE/O=Shop/DC=x/CN=ignored.example")
        let facts = try ServerCertificate(chain: pair.certificateBytes, key: pair.keyBytes).facts
        #expect(CertificateFacts.text(facts.subject) == "CN=ignored.example,DC=x,O=Shop,C=DE")
        #expect(CertificateFacts.text(facts.issuer) == "CN=Test Authority,O=Limpet Tests")
        #expect(facts.hostNames == ["shop.example", "*.shop.example"])
        #expect(
            facts.alternativeNames == [
                "Shop.example", "*.shop.example", "a@b.example", "192.0.2.1", "2001:db8:0:0:0:0:0:1", "spiffe://x/y",
            ])
        #expect(abs(facts.notBefore - now) < 120 && abs(facts.notAfter - now - 40 * 86_400) < 120)
        #expect(facts.serialText.count >= 30)
    }

    @Test("without alternative names cover their common name")
    func commonName() throws {
        let root = try ServerCertificate(chain: authority.root.certificateBytes, key: authority.root.keyBytes)
        #expect(root.facts.hostNames == [] && root.facts.subject.last?.value == "Test Authority")
        let der = try #require(try ServerCertificate.authorities(authority.root.certificateBytes).first)
        let facts = try #require(CertificateFacts(der: der))
        #expect(facts == root.facts)
    }

    @Test("must fit, and be the first of their file")
    func fit() throws {
        let (one, other) = (
            try authority.issue("one", "DNS:one.example"), try authority.issue("two", "DNS:two.example")
        )
        let (chain, key) = (one.certificateBytes, one.keyBytes)
        let root = authority.root.certificateBytes
        #expect(fault(chain, key) == nil)
        #expect(fault(chain + root, key) == nil)
        #expect(fault(root + chain, key) == .wrongOrder)
        #expect(fault(chain, other.keyBytes) == .otherKey)
        #expect(fault([], key) == .noCertificate)
        #expect(fault(key, key) == .noCertificate)
        #expect(fault(chain, chain) == .noKey)
        #expect(fault(chain.dropLast(60) + Array("\n-----END CERTIFICATE-----\n".utf8), key) == .malformedCertificate)
        let encrypted = authority.directory + "/encrypted.key"
        try TestAuthority.openssl(
            "pkcs8 -topk8 -v2 aes256 -in \(one.key) -out \(encrypted)", ["-passout", "pass:secret"],
            in: authority.directory)
        #expect(fault(chain, Array(FileManager.default.contents(atPath: encrypted) ?? Data())) == .encryptedKey)
        #expect(
            fault(chain, Array("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n".utf8)) == .malformedKey)
    }

    @Test("whatever byte of them is wrong, are refused or read, and never a trap")
    func mutations() throws {
        let pair = try authority.issue("one", "DNS:one.example,IP:127.0.0.1")
        let der = try #require(try ServerCertificate.authorities(pair.certificateBytes).first)
        #expect(CertificateFacts(der: der) != nil)
        for place in der.indices {
            for value in [0, 0x7F, 0x80, 0x84, 0xFF] as [UInt8] {
                var changed = der
                changed[place] = value
                _ = CertificateFacts(der: changed)
            }
            _ = CertificateFacts(der: Array(der[..<place]))
        }
    }
}
