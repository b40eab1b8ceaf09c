import Testing

@testable import HTTPWire

@Suite("Values by name, in a query or a Cookie field")
struct NamedValuesTests {
    private static func values(_ name: String, _ separator: Character, in text: String, atMost: Int = .max) -> [String]
    {
        var values: [String] = []
        Array(text.utf8).withUnsafeBytes { bytes in
            Array(name.utf8).withUnsafeBytes { name in
                NamedValues.forEach(in: bytes, separator: separator.asciiValue ?? 0, named: name) { value in
                    values.append(String(decoding: value, as: UTF8.self))
                    return values.count < atMost
                }
            }
        }
        return values
    }

    @Test(
        "are all found, in their order, to the letter",
        arguments: [
            ("sid=1", ["1"]), ("a=0&sid=1&sid=2", ["1", "2"]), ("sid=", [""]), ("sid", []), ("sid=a=b", ["a=b"]),
            ("SID=1", []), ("xsid=1&sidx=2", []), ("&&sid=1&", ["1"]), (" sid=1 &\tsid=2\t", ["1", "2"]),
            ("sid =1", []), ("sid= 1", [" 1"]), ("sid=%31", ["%31"]), ("", []), ("=1", []), ("s%69d=1", []),
            ("sid=1;sid=2", ["1;sid=2"]),
        ])
    func query(_ text: String, _ values: [String]) {
        #expect(Self.values("sid", "&", in: text) == values)
    }

    @Test("are passed over from the one on that ends the search")
    func stopping() {
        #expect(Self.values("a", ";", in: "a=1; a=2; a=3", atMost: 1) == ["1"])
        #expect(Self.values("a", ";", in: "a=1; a=2; a=3", atMost: 2) == ["1", "2"])
    }

    @Test("are those that splitting the text would give, in every text of a few letters")
    func everyText() {
        let letters = Array("aa=; ")
        var texts = [""]
        var count = 0
        for _ in 0..<7 {
            texts = texts.flatMap { text in Set(letters).map { text + String($0) } }
            for text in texts {
                let expected = text.split(separator: ";").compactMap { part -> String? in
                    var pair = part.drop { $0 == " " }
                    while pair.last == " " { pair = pair.dropLast() }
                    guard pair.hasPrefix("a=") else { return nil }
                    return String(pair.dropFirst(2))
                }
                #expect(Self.values("a", ";", in: text) == expected, "\(text.debugDescription)")
                count += 1
            }
        }
        #expect(count == 4 + 16 + 64 + 256 + 1024 + 4096 + 16384)
    }
}
