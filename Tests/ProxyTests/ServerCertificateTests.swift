import Foundation
import LimpetTestKit
import NIOSSL
import TLS
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
                "Shop.example", "*.shop.example", "a@b.example", "192.0.2.1", "2001:db8::1", "spiffe://x/y",
            ])
        #expect(abs(facts.notBefore - now) < 120 && abs(facts.notAfter - now - 40 * 86_400) < 120)
        #expect(facts.serialText.count >= 30)
    }

    /// What a certificate says that `openssl req` makes of these words and arguments.
    private func facts(_ words: String, _ arguments: String...) throws -> CertificateFacts? {
        let path = authority.directory + "/made.pem"
        try TestAuthority.openssl(
            "req -x509 -nodes -keyout \(authority.directory)/made.key -out \(path) \(words)", arguments,
            in: authority.directory)
        let der = try ServerCertificate.authorities(Array(FileManager.default.contents(atPath: path) ?? Data()))
        return CertificateFacts(der: try #require(der.first))
    }

    @Test(
        "are read whatever signs them, and their keys are told apart",
        arguments: [
            ("ec -pkeyopt ec_paramgen_curve:P-256", .ecdsa), ("ec -pkeyopt ec_paramgen_curve:P-384", .ecdsa),
            ("ec -pkeyopt ec_paramgen_curve:P-521", .other), ("ec -pkeyopt ec_paramgen_curve:secp256k1", .other),
            ("ec -pkeyopt ec_paramgen_curve:P-256 -pkeyopt ec_param_enc:explicit", .other), ("ed25519", .other),
            ("ed448", .other), ("rsa:1024", .rsa), ("rsa:2048 -sigopt rsa_padding_mode:pss", .rsa),
            ("rsa-pss -pkeyopt rsa_keygen_bits:2048", .other), ("rsa:2048 -sha1", .rsa),
            ("ec -pkeyopt ec_paramgen_curve:P-256 -sha224", .ecdsa),
        ] as [(String, CertificateFacts.KeyKind)])
    func keys(_ algorithm: String, _ kind: CertificateFacts.KeyKind) throws {
        let facts = try #require(try facts("-newkey \(algorithm) -subj /CN=a.example"))
        #expect(facts.keyKind == kind && facts.hostNames == ["a.example"])
    }

    @Test("name attributes as Traefik does, in any kind of string, and times of any length")
    func attributes() throws {
        let p256 = "-newkey \(TestAuthority.Algorithm.p256.rawValue) -days 20000 -set_serial 0x00fe01"
        let subject = "/C=DE/ST=Bayern/L=Ulm/O=A B+OU=Unit/DC=x/serialNumber=77/CN=M\u{FC}ller/emailAddress=a@b.example"
        let text =
            "1.2.840.113549.1.9.1=a@b.example,CN=M\u{FC}ller,SERIALNUMBER=77,DC=x,OU=Unit,O=A B,L=Ulm,ST=Bayern,C=DE"
        // T61String, BMPString, UTF8String.
        for mask in ["nombstr", "pkix", "utf8only"] {
            let path = authority.directory + "/made.cnf"
            try TextFile.write("[req]\nstring_mask = \(mask)\ndistinguished_name = name\n[name]\n", to: path)
            let facts = try #require(try facts("\(p256) -utf8 -multivalue-rdn -config \(path)", "-subj", subject))
            #expect(CertificateFacts.text(facts.subject) == text, "\(mask)")
            #expect(facts.serialText == "fe01")
            #expect(abs(facts.notAfter - now - 20_000 * 86_400) < 120)
        }
    }

    @Test(
        "have days as people write them",
        arguments: [
            (0, "1970-01-01"), (-1, "1969-12-31"), (951_782_400, "2000-02-29"), (951_868_799, "2000-02-29"),
            (4_107_542_400, "2100-03-01"), (253_402_300_799, "9999-12-31"),
        ])
    func days(_ seconds: Int64, _ day: String) { #expect(CertificateFacts.date(seconds) == day) }

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

    @Test("of a serial number below zero, and with a useless mark at an extension, are read")
    func unusual() throws {
        let path = authority.directory + "/made.pem"
        _ = try facts(
            "-newkey \(TestAuthority.Algorithm.p256.rawValue) -subj /CN=a -set_serial 0x7F01", "-addext",
            "subjectAltName=critical,DNS:a.example")
        let bytes = Array(FileManager.default.contents(atPath: path) ?? Data())
        var der = try #require(try ServerCertificate.authorities(bytes).first)
        let serial = try #require(der.firstRange(of: [2, 2, 0x7F, 1]))
        der[serial.lowerBound + 2] = 0xFF
        let extensions = der.ranges(of: [1, 1, 0xFF])
        #expect(!extensions.isEmpty)
        for place in extensions { der[place.lowerBound + 2] = 0 }
        _ = try NIOSSLCertificate(bytes: der, format: .der)
        #expect(CertificateFacts(der: der)?.hostNames == ["a.example"])
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
