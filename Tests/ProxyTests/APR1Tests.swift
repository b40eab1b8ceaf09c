import Testing

@testable import Proxy

@Suite("Apache's MD5 of passwords")
struct APR1Tests {
    private static let x = String(repeating: "x", count: 33)

    /// Made by `openssl passwd -apr1 -salt SALT PASSWORD`.
    @Test(
        "is what OpenSSL says, for passwords around the length of a digest and salts of every length",
        arguments: [
            ("a", "a", "drFGR/9p/sjZ9/qPTUuIf/"), ("abcdefghijklmno", "12345678", "RZACAu5ri2JD5pbXVtpCV."),
            ("abcdefghijklmnop", "1234567", "1SehKGbO92dVpPoI1w3Fp."),
            ("abcdefghijklmnopq", "./AZaz09", "eBzfmJjHIHKa/xwXxP6jx."),
            (String(x.dropLast(2)), "s", "NS4ZQVKIYxP8/Kd6Ptply."),
            (String(x.dropLast()), "sa", "6ghldMjxMNrESJA9ZZ01Q/"),
            (x, "sal", "P3bTlATf9RLENWWjy7CKD0"),
            (String(repeating: "y", count: 100), "saltsalt", "18j8gBpaiGYUr.4bPMEnE/"),
            ("pässwörd", "abcd", "OEQsVnNdkPxS.6fjn0Xqu."), ("12 34", "abcde", "1MVKucWfzWSYFIYJfNNy7/"),
            ("1234567", "abcdef", "Gc4wnhRzlHIXr0TRnmxaV."),
        ])
    func vectors(_ password: String, _ salt: String, _ digest: String) {
        let made = APR1.digest(of: Array(password.utf8), salt: Array(salt.utf8))
        #expect(String(decoding: made, as: UTF8.self) == digest)
    }

    @Test("differs by each byte of the password, zero bytes included, and by the salt")
    func different() {
        let passwords: [[UInt8]] = [
            [], [0], [0, 0], [1], Array(repeating: 0, count: 16), Array(repeating: 0, count: 17),
        ]
        let digests = passwords.map { APR1.digest(of: $0, salt: [97]) } + [APR1.digest(of: [1], salt: [98])]
        #expect(Set(digests).count == digests.count)
        #expect(digests.allSatisfy { $0.count == 22 })
    }
}
