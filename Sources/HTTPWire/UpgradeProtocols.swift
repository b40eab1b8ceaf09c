/// The value of an Upgrade field: a list of protocols, each a name with an optional `/` and version (RFC 9110 §7.8).
enum UpgradeProtocols {
    /// Whether one of them is not a version of HTTP or TLS (`h2c`, `h2`, `HTTP/…`, `TLS/…`). Those versions are offered
    /// as alternatives to HTTP/1.1 and can be ignored. An upgrade to any other protocol requires a tunnel.
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
