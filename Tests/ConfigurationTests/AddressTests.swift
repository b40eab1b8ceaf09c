import Configuration
import Proxy
import Routing
import Testing

@Suite("An address")
struct AddressTests {
    @Test(
        "to listen on is read and written again",
        arguments: [
            (":8000", nil, 8000, ":8000"), ("127.0.0.1:0", "127.0.0.1", 0, "127.0.0.1:0"),
            ("[::1]:80", "::1", 80, "[::1]:80"), ("localhost:65535", "localhost", 65535, "localhost:65535"),
            (":80/tcp", nil, 80, ":80"), ("web.internal.:80", "web.internal.", 80, "web.internal.:80"),
        ] as [(String, String?, Int, String)])
    func listenAddress(_ text: String, _ host: String?, _ port: Int, _ written: String) throws {
        let address = try ListenAddress(text)
        #expect(address == ListenAddress(host: host, port: port))
        #expect(address.description == written)
    }

    @Test(
        "that is none is refused",
        arguments: [
            "", "80", ":", ":65536", ":-1", ":+1", "a b:80", "::1:80", "[::g]:80", "[]:80", ":80/udp", "a..b:80",
            "a..:80",
            ".:80",
        ])
    func refusedListenAddress(_ text: String) {
        #expect(throws: AddressError.self) { try ListenAddress(text) }
    }

    @Test(
        "lies in a range or does not",
        arguments: [
            ("10.0.0.0/8", "10.255.0.1", true), ("10.0.0.0/8", "11.0.0.1", false), ("10.1.2.3/8", "10.9.9.9", true),
            ("10.0.0.4/30", "10.0.0.7", true), ("10.0.0.4/30", "10.0.0.8", false), ("0.0.0.0/0", "1.2.3.4", true),
            ("0.0.0.0/0", "::1", false), ("1.2.3.4", "1.2.3.4", true), ("1.2.3.4", "1.2.3.5", false),
            ("fd00::/8", "fdff::1", true), ("fd00::/8", "fe80::1", false), ("::1", "::1", true),
            ("2001:db8::/33", "2001:db8:7fff::", true), ("2001:db8::/33", "2001:db8:8000::", false),
        ])
    func ranges(_ range: String, _ address: String, _ isInside: Bool) throws {
        let bits = try #require(AddressRange.Bits(address))
        #expect(try AddressRange(range).contains(bits) == isInside)
    }

    @Test("range is written with its prefix, zeros after it")
    func rangeText() throws {
        #expect(try AddressRange("10.1.2.3/8").description == "10.0.0.0/8")
        #expect(try AddressRange("FD00::1").description == "fd00::1/128")
    }
}
