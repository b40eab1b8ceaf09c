import TLS
import Testing

@testable import Proxy

@Suite("The certificate for a name")
struct CertificateIndexTests {
    private static let names = [
        ["shop.example", "www.shop.example"], ["*.shop.example"], ["*.example", "shop.example"], ["default.test"],
    ]

    @Test(
        "is the one with the very name, then a wildcard, which stands for one label, then the default",
        arguments: [
            ("shop.example", 0), ("www.shop.example", 0), ("api.shop.example", 1), ("other.example", 2),
            ("a.b.shop.example", 3), ("example", 3), ("default.test", 3), (nil, 3), ("*.shop.example", 1),
        ] as [(String?, Int)])
    func order(_ name: String?, _ place: Int) {
        let index = CertificateIndex(names: Self.names, defaultPlace: 3)
        #expect(index.select(name, isStrict: false) == .certificate(place))
    }

    @Test("is none where nothing covers it and there is no default, or the options are strict")
    func none() {
        let index = CertificateIndex(names: Self.names, defaultPlace: nil)
        #expect(index.select("unknown.test", isStrict: false) == .none)
        #expect(index.select(nil, isStrict: false) == .none)
        let withDefault = CertificateIndex(names: Self.names, defaultPlace: 3)
        #expect(withDefault.select("unknown.test", isStrict: true) == .none)
        #expect(withDefault.select(nil, isStrict: true) == .none)
        #expect(withDefault.select("default.test", isStrict: true) == .certificate(3))
    }

    @Test(
        "is found by normalized names",
        arguments: [
            ("A.Example.", "a.example"), ("*.Example", "*.example"), ("*", nil), ("*.", nil), ("a.*.example", nil),
            ("-", "-"), ("10.0.0.1", nil), ("[::1]", nil), ("", nil), (".", nil),
            (String(repeating: "a", count: 64) + ".example", nil),
        ] as [(String, String?)])
    func normalized(_ text: String, _ name: String?) { #expect(ServerName.normalized(text.utf8) == name) }
}
