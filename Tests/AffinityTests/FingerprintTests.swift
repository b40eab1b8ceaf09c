import Testing

@testable import Affinity

@Suite("Fingerprints")
struct FingerprintTests {
    static let vectorKey = FingerprintKey(k0: 0x0706_0504_0302_0100, k1: 0x0f0e_0d0c_0b0a_0908)

    @Test("SipHash-2-4-128 yields the reference vectors for inputs of 0 to 63 bytes")
    func referenceVectors() throws {
        let rows = try Golden.rows("siphash128.csv")
        #expect(rows.count == 64)
        for row in rows {
            let length = try #require(UInt8(row[0]))
            let (first, second) = hash((0..<length).map { $0 }, wordsFirst: 0)
            #expect(hex(first) + hex(second) == row[1])
        }
    }

    @Test("bytes absorbed as words first and the rest last hash as all of them at once")
    func incremental() throws {
        for row in try Golden.rows("siphash128.csv") {
            let length = try #require(UInt8(row[0]))
            for words in 0...Int(length / 8) {
                let (first, second) = hash((0..<length).map { $0 }, wordsFirst: words)
                #expect(hex(first) + hex(second) == row[1])
            }
        }
    }

    @Test("unaligned session keys hash as aligned ones")
    func unaligned() {
        let scope = FingerprintScope(key: Self.vectorKey, service: "shop", source: .cookie)
        let bytes = (0..<40).map { UInt8($0) }
        for start in 0..<8 {
            let slice = Array(bytes[start..<start + 21])
            let alone = slice.withUnsafeBytes { scope.fingerprint(of: $0) }
            let within = bytes.withUnsafeBytes {
                scope.fingerprint(of: UnsafeRawBufferPointer(rebasing: $0[start..<start + 21]))
            }
            #expect(alone == within)
        }
    }

    @Test("no two inputs meet by concatenation, whatever is moved between service, name and session key")
    func noConcatenation() {
        let services = ["", "a", "aa", "aaaaaaaa", "aaaaaaaaa", "a\0", "\0"]
        let keys = ["", "a", "aa", "aaaaaaaa", "aaaaaaaaa", "a\0", "\0", "\0\0\0\0\0\0\0\0"]
        let sources =
            services.flatMap { [SessionSource.header($0), .query($0), .appCookie($0)] } + [.cookie, .clientAddress]
        var seen: [Fingerprint: String] = [:]
        for service in services {
            for source in sources {
                let scope = FingerprintScope(key: Self.vectorKey, service: service, source: source)
                for key in keys {
                    let what = "\(service.debugDescription) \(source) \(key.debugDescription)"
                    let other = seen.updateValue(what, forKey: scope.of(key))
                    #expect(other == nil, "\(what) meets \(other ?? "")")
                }
            }
        }
        #expect(seen.count == services.count * sources.count * keys.count)
    }

    @Test("a header's name counts without case, a cookie's and a parameter's with it")
    func nameCase() {
        func of(_ source: SessionSource) -> Fingerprint {
            FingerprintScope(key: Self.vectorKey, service: "s", source: source).of("k")
        }
        #expect(of(.header("X-Session-ID")) == of(.header("x-session-id")))
        #expect(of(.header("X-Session-ID")) != of(.header("x-session_id")))
        #expect(of(.appCookie("SID")) != of(.appCookie("sid")))
        #expect(of(.query("SID")) != of(.query("sid")))
    }

    @Test("another key gives other fingerprints, and a key does not print itself")
    func keyed() {
        let scopes = [(1, 2), (1, 3), (2, 2)].map { k0, k1 in
            FingerprintScope(key: FingerprintKey(k0: k0, k1: k1), service: "s", source: .cookie)
        }
        #expect(Set(scopes.map { $0.of("k") }).count == 3)
        #expect("\(FingerprintKey(k0: 0xABCDEF, k1: 0x123456))" == "FingerprintKey(hidden)")
    }

    @Test("the text of a fingerprint is the unpadded base64url of its 16 bytes, most significant first")
    func text() {
        var random = Random(seed: 1)
        let edges: [UInt64] = [0, 1, .max, 1 << 63, 0xFF, 0x0123_4567_89AB_CDEF, 3, 0x3F, 0xFC00_0000_0000_0000]
        var pairs = edges.flatMap { high in edges.map { (high, $0) } }
        for _ in 0..<1000 { pairs.append((random.next(), random.next())) }
        for (high, low) in pairs {
            let fingerprint = Fingerprint(high: high, low: low)
            #expect(fingerprint.text == base64url(high, low))
            #expect(fingerprint.text.utf8.count == Fingerprint.textLength)
        }
    }

    @Test("a backend's hash has 29 bits, depends on name and key, and is never the tombstone's")
    func backendHash() {
        let key = Self.vectorKey
        let hashes = (0..<20_000).map { BackendHash.of(name: "http://10.0.0.1:\($0)", key: key) }
        #expect(hashes.allSatisfy { $0.bits > 0 && $0.bits < 1 << 29 })
        #expect(hashes.reduce(0) { $0 | $1.bits } == 1 << 29 - 1)
        #expect(hashes[0] == BackendHash.of(name: "http://10.0.0.1:0", key: key))
        #expect(hashes[0] != BackendHash.of(name: "http://10.0.0.1:0", key: FingerprintKey(k0: 1, k1: 1)))
    }

    private func hash(_ bytes: [UInt8], wordsFirst words: Int) -> (UInt64, UInt64) {
        bytes.withUnsafeBytes { bytes in
            var hash = SipHash(Self.vectorKey)
            for word in 0..<words {
                hash.absorb(UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: word * 8, as: UInt64.self)))
            }
            return hash.finish(UnsafeRawBufferPointer(rebasing: bytes[(words * 8)...]))
        }
    }

    /// In the order of the output's bytes.
    private func hex(_ word: UInt64) -> String {
        (0..<8).map { index in
            let byte = UInt8(truncatingIfNeeded: word >> UInt64(8 * index))
            return String(byte >> 4, radix: 16) + String(byte & 15, radix: 16)
        }.joined()
    }

    /// Bit by bit, on purpose unlike what it checks.
    private func base64url(_ high: UInt64, _ low: UInt64) -> String {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
        var bits = [high, low].flatMap { word in (0..<64).map { Int(word >> UInt64(63 - $0) & 1) } }
        while bits.count % 6 != 0 { bits.append(0) }
        return String(
            stride(from: 0, to: bits.count, by: 6).map { alphabet[bits[$0..<$0 + 6].reduce(0) { $0 * 2 + $1 }] })
    }
}
