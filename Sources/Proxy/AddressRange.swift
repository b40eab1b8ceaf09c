#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// A range of client addresses, as `10.0.0.0/8`; a single address is the range of all its bits.
package struct AddressRange: Hashable, Sendable, CustomStringConvertible {
    /// An IP address, most significant bit first.
    package struct Bits: Hashable, Sendable {
        /// 4 or 16.
        package let bytes: [UInt8]

        package var isIPv6: Bool { bytes.count == 16 }

        /// An address in numbers; nil for anything else.
        package init?(_ text: String) {
            var bytes = [UInt8](repeating: 0, count: 16)
            if inet_pton(AF_INET, text, &bytes) == 1 {
                self.bytes = Array(bytes[..<4])
            } else if inet_pton(AF_INET6, text, &bytes) == 1 {
                self.bytes = bytes
            } else {
                return nil
            }
        }

        /// An address as it stands in a packet: 4 or 16 bytes. One of IPv4 that is mapped into IPv6
        /// (`::ffff:a.b.c.d`, RFC 4291, section 2.5.5.2) is the address of IPv4.
        init(packet bytes: [UInt8]) {
            let isMapped =
                bytes.count == 16 && bytes[..<10].allSatisfy { $0 == 0 } && bytes[10] == 0xFF && bytes[11] == 0xFF
            self.bytes = isMapped ? Array(bytes[12...]) : bytes
        }

        private init(bytes: [UInt8]) {
            self.bytes = bytes
        }

        /// The first `length` bits, and zeros.
        func prefix(_ length: Int) -> Bits {
            Bits(
                bytes: bytes.enumerated().map { index, byte in
                    byte & ~UInt8(truncatingIfNeeded: 0xFF >> min(max(length - index * 8, 0), 8))
                })
        }
    }

    /// The bits after the prefix are zero.
    package let network: Bits
    package let prefixLength: Int

    /// - Throws: `AddressError`, whose message says what would be right.
    package init(_ text: String) throws(AddressError) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let address = Bits(String(parts[0])) else {
            throw AddressError(text, "is no address range: write it as 10.0.0.0/8 or fd00::/8")
        }
        let bitCount = address.bytes.count * 8
        guard let length = parts.count == 1 ? bitCount : Self.number(parts[1]), length <= bitCount else {
            throw AddressError(text, "has no valid prefix length: write 0 to \(bitCount) after the slash")
        }
        network = address.prefix(length)
        prefixLength = length
    }

    /// Digits and nothing else.
    private static func number(_ text: Substring) -> Int? {
        text.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) } ? Int(text) : nil
    }

    package func contains(_ address: Bits) -> Bool {
        address.bytes.count == network.bytes.count && address.prefix(prefixLength) == network
    }

    package var description: String {
        let family = network.isIPv6 ? AF_INET6 : AF_INET
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        _ = inet_ntop(family, network.bytes, &text, socklen_t(text.count))
        let address = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return "\(address)/\(prefixLength)"
    }
}
