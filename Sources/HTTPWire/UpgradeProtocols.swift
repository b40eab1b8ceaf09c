/// The value of an Upgrade field: a list of protocols, each a name with or without `/` and a version (RFC 9110 §7.8).
enum UpgradeProtocols {
    /// Whether one of them is no version of HTTP or TLS (`h2c`, `h2`, `HTTP/…`, `TLS/…`). Those are offered beside
    /// HTTP/1.1, and can be ignored; what follows an upgrade to another is for a tunnel.
    static func includeTunnel(_ value: UnsafeRawBufferPointer) -> Bool {
        var protocols = ListElements(of: 0..<value.count, in: value)
        while let range = protocols.next() {
            let name = UnsafeRawBufferPointer(
                rebasing: value[range].prefix { $0 != UInt8(ascii: "/") })
            let isHTTP =
                CaseInsensitive.equal(name, "h2c") || CaseInsensitive.equal(name, "h2")
                || CaseInsensitive.equal(name, "http") || CaseInsensitive.equal(name, "tls")
            if !isHTTP { return true }
        }
        return false
    }
}
