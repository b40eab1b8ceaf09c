/// Host names in the form that rules compare.
enum HostName {
    /// The host without its port, one trailing dot and the brackets of an IPv6 address. A text that is not of the form
    /// `host:port` is left unchanged, so that it matches no rule.
    static func canonical(_ host: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        var end = host.count
        if let colon = portColon(of: host) { end = colon }
        if end >= 2, host[0] == UInt8(ascii: "["), host[end - 1] == UInt8(ascii: "]") {
            return UnsafeRawBufferPointer(rebasing: host[1..<end - 1])
        }
        if end > 0, host[end - 1] == UInt8(ascii: ".") { end -= 1 }
        return UnsafeRawBufferPointer(rebasing: host[..<end])
    }

    /// The position of the port's colon. Nil if the host has no port, or if the colon belongs to a bare IPv6 address.
    static func portColon(of host: UnsafeRawBufferPointer) -> Int? {
        guard let last = host.lastIndex(of: UInt8(ascii: ":")) else { return nil }
        if last > 0, host[last - 1] == UInt8(ascii: "]") { return last }
        let isBracketed = host[0] == UInt8(ascii: "[")
        return isBracketed || host[..<last].contains(UInt8(ascii: ":")) ? nil : last
    }

    /// - Parameter lowercased: from a rule, already in lower case.
    static func isEqual(_ host: UnsafeRawBufferPointer, _ lowercased: UnsafeRawBufferPointer) -> Bool {
        guard host.count == lowercased.count else { return false }
        for index in 0..<host.count where host[index].lowercased != lowercased[index] { return false }
        return true
    }

    /// Whether the host is exactly one label followed by `parent`, which begins with a dot.
    static func isOneLabel(_ host: UnsafeRawBufferPointer, below parent: UnsafeRawBufferPointer) -> Bool {
        let label = host.count - parent.count
        guard label > 0 else { return false }
        for index in 0..<label where host[index] == UInt8(ascii: ".") { return false }
        return isEqual(UnsafeRawBufferPointer(rebasing: host[label...]), parent)
    }
}
