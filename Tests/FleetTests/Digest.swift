import Crypto

/// Digests as Traefik writes them: small hexadecimal digits.
enum Digest {
    static func sha256(_ text: String) -> String { hexadecimal(SHA256.hash(data: Array(text.utf8))) }

    static func sha1(_ text: String) -> String { hexadecimal(Insecure.SHA1.hash(data: Array(text.utf8))) }

    private static func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
        bytes.map { byte in
            let digits = String(byte, radix: 16)
            return digits.utf8.count == 1 ? "0" + digits : digits
        }.joined()
    }
}
