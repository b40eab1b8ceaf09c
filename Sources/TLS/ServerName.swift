/// Names of hosts as certificates and clients of TLS have them.
package enum ServerName {
    /// In lowercase and without a final dot. Nil for what is not a host name of DNS: an address, an empty label,
    /// characters other than letters, digits, `-` and `_`, more than 253 bytes. A first label `*` is kept.
    package static func normalized(_ bytes: some Collection<UInt8>) -> String? {
        var name = bytes.map { (0x41...0x5A).contains($0) ? $0 | 0x20 : $0 }
        if name.last == UInt8(ascii: ".") { name.removeLast() }
        guard !name.isEmpty, name.count <= 253 else { return nil }
        let labels = name.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        for (index, label) in labels.enumerated() {
            let isWildcard = index == 0 && label.elementsEqual("*".utf8) && labels.count > 1
            guard isWildcard || (!label.isEmpty && label.count <= 63 && label.allSatisfy(isLabelByte)) else {
                return nil
            }
        }
        // A last label of digits is the end of an IPv4 address.
        guard let last = labels.last, !last.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        return String(decoding: name, as: UTF8.self)
    }

    /// The wildcard that covers the name: `*.example.com` for `a.example.com`. A wildcard is in the place of one label.
    package static func wildcard(of name: String) -> String? {
        guard let dot = name.firstIndex(of: "."), name.index(after: dot) < name.endIndex else { return nil }
        return "*" + name[dot...]
    }

    private static func isLabelByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x61...0x7A, UInt8(ascii: "-"), UInt8(ascii: "_"): true
        default: false
        }
    }
}
