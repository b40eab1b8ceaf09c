/// The protocols for which one head asks, or to which it switches, in its Upgrade fields (RFC 9110 §7.8): names, each
/// with an optional `/` and version.
///
/// Only those that need a tunnel are in it. Versions of HTTP and TLS (`h2c`, `h2`, `HTTP/…`, `TLS/…`) are alternatives
/// to HTTP/1.1 that a server may ignore, and a proxy must not pass: a backend that accepts `h2c` would take requests
/// that the proxy does not see. Malformed elements are left out.
package struct UpgradeProtocols: Equatable, Sendable {
    /// Nil if there are none, as for nearly every request: copies of nil count no references.
    private var elements: [UInt8]?

    /// A field value; empty if there are none.
    package var value: [UInt8] { elements ?? [] }

    /// None.
    package init() {}

    /// Those of a scanned head. `bytes` are the scanned bytes. Fields that are marked as removed do not count.
    package init(of fields: FieldTable, in bytes: UnsafeRawBufferPointer) {
        Self.forEach(of: fields, in: bytes) { element in
            if Self.needsTunnel(element) { append(element) }
        }
    }

    package var isEmpty: Bool { elements == nil }

    /// Whether WebSocket is the only one (RFC 6455, section 11.2).
    package var areWebSocket: Bool {
        let name: StaticString = "websocket"
        return value.withUnsafeBytes { CaseInsensitive.equal($0, name) }
    }

    /// Those to which a 101 switches. Nil if the response breaks a rule: it must name at least one protocol, none that
    /// was not offered, and `upgrade` in Connection (RFC 9110 §7.8).
    package func accepted(by fields: FieldTable, in bytes: UnsafeRawBufferPointer) -> UpgradeProtocols? {
        guard Self.connectionNamesUpgrade(fields, bytes) else { return nil }
        var accepted = UpgradeProtocols()
        var areOffered = true
        Self.forEach(of: fields, in: bytes) { element in
            areOffered = areOffered && offers(element)
            accepted.append(element)
        }
        return areOffered && !accepted.isEmpty ? accepted : nil
    }

    /// Whether an Upgrade value names a protocol that needs a tunnel.
    static func includeTunnel(_ value: UnsafeRawBufferPointer) -> Bool {
        var elements = ListElements(of: 0..<value.count, in: value)
        while let range = elements.next() {
            if needsTunnel(UnsafeRawBufferPointer(rebasing: value[range])) { return true }
        }
        return false
    }

    private mutating func append(_ element: UnsafeRawBufferPointer) {
        elements = elements.map { $0 + ", ".utf8 + element } ?? Array(element)
    }

    private func offers(_ name: UnsafeRawBufferPointer) -> Bool {
        value.withUnsafeBytes { value in
            var elements = ListElements(of: 0..<value.count, in: value)
            while let range = elements.next() {
                if CaseInsensitive.equal(UnsafeRawBufferPointer(rebasing: value[range]), name) { return true }
            }
            return false
        }
    }

    private static func forEach(
        of fields: FieldTable, in bytes: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer) -> Void
    ) {
        var index = fields.first(.upgrade)
        while let found = index {
            var elements = ListElements(of: fields[found].valueRange, in: bytes)
            while let range = elements.next() { body(UnsafeRawBufferPointer(rebasing: bytes[range])) }
            index = fields.next(.upgrade, after: found)
        }
    }

    private static func connectionNamesUpgrade(_ fields: FieldTable, _ bytes: UnsafeRawBufferPointer) -> Bool {
        var index = fields.first(.connection)
        while let found = index {
            var options = ListElements(of: fields[found].valueRange, in: bytes)
            while let range = options.next() {
                if CaseInsensitive.equal(UnsafeRawBufferPointer(rebasing: bytes[range]), "upgrade") { return true }
            }
            index = fields.next(.connection, after: found)
        }
        return false
    }

    private static func needsTunnel(_ element: UnsafeRawBufferPointer) -> Bool {
        let name = UnsafeRawBufferPointer(rebasing: element.prefix { $0 != UInt8(ascii: "/") })
        guard isWellFormed(element, name) else { return false }
        return !CaseInsensitive.equal(name, "h2c") && !CaseInsensitive.equal(name, "h2")
            && !CaseInsensitive.equal(name, "http") && !CaseInsensitive.equal(name, "tls")
    }

    /// `protocol-name ["/" protocol-version]`, both tokens.
    private static func isWellFormed(_ element: UnsafeRawBufferPointer, _ name: UnsafeRawBufferPointer) -> Bool {
        guard !name.isEmpty, name.allSatisfy(\.isToken) else { return false }
        guard name.count < element.count else { return true }
        let version = element[(name.count + 1)...]
        return !version.isEmpty && version.allSatisfy(\.isToken)
    }
}
