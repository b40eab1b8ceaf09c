import Routing

/// The syntax of a host in an address or a URL.
enum HostSyntax {
    /// A name of letters, digits, hyphens, underscores and dots, an IPv4 address, or an IPv6 address in brackets. A
    /// name may end with a dot: it is then looked up without search domains.
    static func isHost(_ text: Substring) -> Bool {
        if text.hasPrefix("[") {
            guard text.hasSuffix("]"), text.count > 2 else { return false }
            return AddressRange.Bits(withoutBrackets(text))?.isIPv6 ?? false
        }
        let name = text.hasSuffix(".") ? text.dropLast() : text
        return !name.isEmpty && name.utf8.count <= 253
            && name.split(separator: ".", omittingEmptySubsequences: false).allSatisfy(isLabel)
    }

    static func withoutBrackets(_ host: Substring) -> String {
        String(host.hasPrefix("[") ? host.dropFirst().dropLast() : host)
    }

    private static func isLabel(_ label: Substring) -> Bool {
        !label.isEmpty && label.utf8.count <= 63
            && label.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
                case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"): true
                default: false
                }
            }
    }
}

extension Int {
    /// Accepts digits only. Nil for an empty text, and if the number is too large.
    package init?(decimal text: Substring) {
        guard !text.isEmpty, text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else {
            return nil
        }
        self.init(text)
    }
}
