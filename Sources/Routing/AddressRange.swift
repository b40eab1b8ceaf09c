#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// A range of client addresses, such as `10.0.0.0/8`. A single address is a range with a full-length prefix.
package struct AddressRange: Hashable, Sendable, CustomStringConvertible {
    /// An IP address.
    package struct Bits: Hashable, Sendable {
        /// The most significant half of an IPv6 address; or an IPv4 address, in the upper 32 bits.
        private let high: UInt64
        private let low: UInt64
        package let isIPv6: Bool

        private init(high: UInt64, low: UInt64, isIPv6: Bool) {
            self.high = high
            self.low = low
            self.isIPv6 = isIPv6
        }

        /// Parses a numeric address. Nil for anything else.
        package init?(_ text: String) {
            var bytes = [UInt8](repeating: 0, count: 16)
            let isIPv6 = inet_pton(AF_INET, text, &bytes) != 1
            if isIPv6, inet_pton(AF_INET6, text, &bytes) != 1 { return nil }
            self.init(bytes: bytes[...], isIPv6: isIPv6)
        }

        /// An address in its binary form: 4 or 16 bytes. An IPv4-mapped IPv6 address (`::ffff:a.b.c.d`, RFC 4291,
        /// section 2.5.5.2) becomes the IPv4 address.
        package init(packet bytes: [UInt8]) {
            let bits = Bits(bytes: bytes[...], isIPv6: bytes.count == 16)
            self = bits.unmapped ?? bits
        }

        private init(bytes: ArraySlice<UInt8>, isIPv6: Bool) {
            let word = { (bytes: ArraySlice<UInt8>) in bytes.reduce(UInt64(0)) { $0 << 8 | UInt64($1) } }
            let high = isIPv6 ? word(bytes.prefix(8)) : word(bytes.prefix(4)) << 32
            self.init(high: high, low: isIPv6 ? word(bytes.dropFirst(8).prefix(8)) : 0, isIPv6: isIPv6)
        }

        /// The IPv4 address that is mapped into this IPv6 address. Nil if there is none.
        var unmapped: Bits? {
            guard isIPv6, high == 0, low >> 32 == 0xFFFF else { return nil }
            return Bits(high: low << 32, low: 0, isIPv6: false)
        }

        /// 4 or 16 bytes, most significant first.
        package var bytes: [UInt8] {
            let all = [high, low].flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> (56 - $0 * 8)) } }
            return Array(all.prefix(isIPv6 ? 16 : 4))
        }

        /// The first `length` bits, followed by zeros. Allocates nothing.
        package func prefix(_ length: Int) -> Bits {
            Bits(high: high & Self.mask(length), low: low & Self.mask(length - 64), isIPv6: isIPv6)
        }

        private static func mask(_ length: Int) -> UInt64 { ~(~0 >> UInt64(min(max(length, 0), 64))) }
    }

    /// The bits after the prefix are zero.
    package let network: Bits
    package let prefixLength: Int

    /// - Throws: `AddressError`, whose message explains the correct form.
    package init(_ text: String) throws(AddressError) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let address = Bits(String(parts[0])) else {
            throw AddressError(text, "is not an address range: write one like 10.0.0.0/8 or fd00::/8")
        }
        let bitCount = address.isIPv6 ? 128 : 32
        guard let length = parts.count == 1 ? bitCount : Self.number(parts[1]), length <= bitCount else {
            throw AddressError(text, "has no valid prefix length: write 0 to \(bitCount) after the slash")
        }
        // An IPv4-mapped range becomes the IPv4 range.
        let unmapped = length >= 96 ? address.unmapped : nil
        prefixLength = unmapped == nil ? length : length - 96
        network = (unmapped ?? address).prefix(prefixLength)
    }

    /// Parses digits only.
    private static func number(_ text: Substring) -> Int? {
        text.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) } ? Int(text) : nil
    }

    /// Allocates nothing.
    package func contains(_ address: Bits) -> Bool {
        address.prefix(prefixLength) == network
    }

    package var description: String {
        let family = network.isIPv6 ? AF_INET6 : AF_INET
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        _ = inet_ntop(family, network.bytes, &text, socklen_t(text.count))
        let address = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return "\(address)/\(prefixLength)"
    }
}
