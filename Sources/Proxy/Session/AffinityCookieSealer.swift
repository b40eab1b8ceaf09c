package import Affinity
package import Crypto

/// Seals and opens the affinity cookie: `version, key number, session id, nonce,
/// sealed(backend, epoch, created, issued)`, in unpadded base64url.
///
/// Authenticated and encrypted with AES-GCM, bound to service and session id: it neither reveals nor selects a backend,
/// and a cookie that does not open has no effect at all. A nonce has 96 random bits. A key would have to seal 2^32
/// hints before a repeated nonce becomes likely (NIST SP 800-38D, section 8.3), so hints are sealed only when they
/// change or age, never per request.
package struct AffinityCookieSealer: Sendable {
    /// 16 random bytes that identify a session.
    package struct SessionID: Equatable, Sendable {
        var high: UInt64
        var low: UInt64

        package init(high: UInt64, low: UInt64) {
            self.high = high
            self.low = low
        }

        /// Calls `body` with the 16 bytes.
        package func withBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
            withUnsafeBytes(of: (high.bigEndian, low.bigEndian), body)
        }
    }

    /// The content of a cookie that was opened.
    package struct Opened: Equatable, Sendable {
        package var session: SessionID
        package var hint: Hint
    }

    /// The length of a cookie's text: a value of another length is not an affinity cookie.
    package static let textLength = (byteCount * 4 + 2) / 3

    private static let version: UInt8 = 1
    private static let sessionStart = 2
    private static let nonceStart = 18
    private static let sealedStart = 30
    private static let plainCount = 16
    private static let tagCount = 16
    private static let byteCount = sealedStart + plainCount + tagCount

    private let keys: [SymmetricKey]
    private let service: [UInt8]

    /// - Parameters:
    ///   - keys: 1 to 255 sealing keys; the first seals, all open.
    ///   - service: the name of the service; a cookie of one service does not open for another.
    package init(keys: [SymmetricKey], service: String) {
        precondition((1...255).contains(keys.count))
        self.keys = keys
        self.service = Array(service.utf8)
    }

    /// The text of a cookie that carries `hint`.
    /// - Parameter random: twelve random bytes, split over the two numbers.
    package func seal(_ session: SessionID, _ hint: Hint, random: (UInt64, UInt32)) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Self.byteCount)
        bytes[0] = Self.version
        session.withBytes { bytes.replaceSubrange(Self.sessionStart..<Self.nonceStart, with: $0) }
        withUnsafeBytes(of: random.0) { bytes.replaceSubrange(Self.nonceStart..<Self.nonceStart + 8, with: $0) }
        withUnsafeBytes(of: random.1) { bytes.replaceSubrange(Self.nonceStart + 8..<Self.sealedStart, with: $0) }
        guard
            let nonce = try? AES.GCM.Nonce(data: bytes[Self.nonceStart..<Self.sealedStart]),
            let box = try? AES.GCM.seal(
                plain(hint), using: keys[0], nonce: nonce, authenticating: context(bytes[..<Self.nonceStart]))
        else {
            assertionFailure("sealing 16 bytes with a 256-bit key cannot fail")
            return []
        }
        bytes.replaceSubrange(Self.sealedStart..<Self.sealedStart + Self.plainCount, with: box.ciphertext)
        bytes.replaceSubrange(Self.sealedStart + Self.plainCount..<Self.byteCount, with: box.tag)
        return Base64URL.encode(bytes)
    }

    /// The session and hint of a cookie; nil if it is not an authentic cookie of this service.
    package func open(_ text: UnsafeRawBufferPointer) -> Opened? {
        guard text.count == Self.textLength, let bytes = Base64URL.decode(text), bytes.count == Self.byteCount,
            bytes[0] == Self.version, Int(bytes[1]) < keys.count
        else { return nil }
        // The key number names the sealing key if all replicas have the same list. During a key rotation the lists
        // differ in order, so the number is only a first guess, and every key is tried.
        let first = Int(bytes[1])
        for offset in keys.indices {
            if let plain = opened(bytes, by: keys[(first + offset) % keys.count]) {
                return hint(plain).map { Opened(session: sessionID(bytes), hint: $0) }
            }
        }
        return nil
    }

    private func opened(_ bytes: [UInt8], by key: SymmetricKey) -> [UInt8]? {
        guard
            let nonce = try? AES.GCM.Nonce(data: bytes[Self.nonceStart..<Self.sealedStart]),
            let box = try? AES.GCM.SealedBox(
                nonce: nonce, ciphertext: bytes[Self.sealedStart..<Self.sealedStart + Self.plainCount],
                tag: bytes[(Self.sealedStart + Self.plainCount)...]),
            let plain = try? AES.GCM.open(box, using: key, authenticating: context(bytes[..<Self.nonceStart]))
        else { return nil }
        return Array(plain)
    }

    /// The data that a cookie is bound to: its own first bytes (version, key number, session id) and the service.
    private func context(_ header: ArraySlice<UInt8>) -> [UInt8] { Array(header) + service }

    private func plain(_ hint: Hint) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Self.plainCount)
        for number in [hint.binding.backend.bits, hint.binding.epoch, hint.createdAtSeconds, hint.issued] {
            withUnsafeBytes(of: number.bigEndian) { bytes.append(contentsOf: $0) }
        }
        return bytes
    }

    private func hint(_ plain: [UInt8]) -> Hint? {
        guard plain.count == Self.plainCount else { return nil }
        func number(_ index: Int) -> UInt32 { plain[index * 4..<index * 4 + 4].reduce(0) { $0 << 8 | UInt32($1) } }
        let binding = Binding(backend: BackendHash(bits: number(0)), epoch: number(1))
        guard !binding.isTombstone, binding.epoch <= Binding.epochMax else { return nil }
        return Hint(binding: binding, createdAtSeconds: number(2), issued: number(3))
    }

    private func sessionID(_ bytes: [UInt8]) -> SessionID {
        func number(_ start: Int) -> UInt64 { bytes[start..<start + 8].reduce(0) { $0 << 8 | UInt64($1) } }
        return SessionID(high: number(Self.sessionStart), low: number(Self.sessionStart + 8))
    }
}
