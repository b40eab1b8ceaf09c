import Crypto
import Testing

@testable import Proxy

@Suite("Keys of session tickets")
struct TicketKeysTests {
    private static let secret = SymmetricKey(data: Array(0..<32))

    private static func hex(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    private static func text(_ key: TicketKeys.Key) -> String { hex(key.name + key.cipher + key.mac) }

    @Test("are those of a second implementation: HKDF-SHA-256 over period, name and fingerprint of the options")
    func vectors() {
        var plain = TLSOptions()
        plain.applicationProtocols = ["http/1.1"]
        #expect(Self.hex(plain.fingerprint) == "21fab70ce96305ee400705016c11ae99e10883be706645c47a2999a94394e00b")
        #expect(
            Self.text(TicketKeys(secret: Self.secret, options: plain).key(ofPeriod: 41_000))
                == "1ec4d61bc79490008768d8a9edd1a1f13335dfe19d09b184f72c0211e72e308727d89101e94de1bd72ca28026b153bfe"
                + "2969be4870be982aad00d0cdd9030febba21c9f07afb4ca4d4e0cfc91c00484b")
        var mutual = TLSOptions(name: "mtls")
        mutual.minVersion = .tls13
        mutual.clientAuth = .requireAndVerify
        mutual.sniStrict = true
        mutual.cipherSuites = [.rsaAES128GCM]
        mutual.curves = [.p256]
        mutual.applicationProtocols = []
        mutual.clientAuthorities = [[1, 2, 3]]
        #expect(Self.hex(mutual.fingerprint) == "1de0562ed0fccebbb94623787af1db671068fe47d3c9138d2797d5197abc0d89")
        #expect(
            Self.text(TicketKeys(secret: Self.secret, options: mutual).key(ofPeriod: 41_000))
                == "3b370462e799b8fa6c1ec06bbaff4b9b7213883bcb34b8e48f6dc44753e81ef3927e2c05cc8446daa156890567edd0db"
                + "4d107cb547e5453015419b166bb0fe9f2d6124108f70527db7561d7c37f06df5")
    }

    @Test("of this period seal; those of the previous and the next one are accepted")
    func ring() {
        let keys = TicketKeys(secret: Self.secret, options: TLSOptions())
        #expect(keys.ring(ofPeriod: 7) == [7, 6, 8].map(keys.key(ofPeriod:)))
        #expect(keys.ring(ofPeriod: 0) == [0, 1].map(keys.key(ofPeriod:)))
        let length = TicketKeys.periodSeconds
        #expect([0, length - 1, length, 10 * length + 5].map(TicketKeys.periodIndex) == [0, 0, 1, 10])
    }

    @Test(
        "differ with everything that a session must not outlive",
        arguments: [
            { $0.name = "other" }, { $0.minVersion = .tls13 }, { $0.maxVersion = .tls12 },
            { $0.cipherSuites = [.rsaAES128GCM] }, { $0.curves = [.p256] }, { $0.clientAuth = .request },
            { $0.clientAuthorities = [[1]] }, { $0.sniStrict = true }, { $0.applicationProtocols = [] },
        ] as [@Sendable (inout TLSOptions) -> Void])
    func options(_ change: @Sendable (inout TLSOptions) -> Void) {
        var other = TLSOptions()
        change(&other)
        let (one, two) = (
            TicketKeys(secret: Self.secret, options: TLSOptions()), TicketKeys(secret: Self.secret, options: other)
        )
        #expect(one.key(ofPeriod: 1).name != two.key(ofPeriod: 1).name)
        #expect(one.key(ofPeriod: 1).cipher != two.key(ofPeriod: 1).cipher)
    }

    @Test("differ with the secret")
    func secret() {
        let other = SymmetricKey(data: [UInt8](repeating: 9, count: 32))
        #expect(
            TicketKeys(secret: Self.secret, options: TLSOptions()).key(ofPeriod: 1)
                != TicketKeys(secret: other, options: TLSOptions()).key(ofPeriod: 1))
    }
}
