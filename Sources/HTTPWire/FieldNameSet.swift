/// A set of well-known field names, one bit each. `.other` is never in it.
package struct FieldNameSet: Sendable {
    let bits: UInt64

    @inline(__always)
    init(bits: UInt64) { self.bits = bits }

    /// The names of this set for which `isIncluded` returns true.
    package func filter(_ isIncluded: (FieldName) -> Bool) -> FieldNameSet {
        FieldNameSet(
            bits: FieldName.allCases.reduce(0) { contains($1) && isIncluded($1) ? $0 | Self.bit($1) : $0 })
    }

    @inline(__always)
    package func contains(_ name: FieldName) -> Bool { bits & Self.bit(name) != 0 }

    package func subtracting(_ other: FieldNameSet) -> FieldNameSet { FieldNameSet(bits: bits & ~other.bits) }

    @inline(__always)
    static func bit(_ name: FieldName) -> UInt64 { name == .other ? 0 : 1 &<< UInt64(name.rawValue) }

    /// Fields that must not be forwarded to the next hop (RFC 9110 §7.6.1), apart from Connection and what it names.
    /// Transfer-Encoding and Trailer are not among them: the body's framing is forwarded unchanged.
    static var hopByHop: FieldNameSet {
        FieldNameSet(
            bits: bit(.keepAlive) | bit(.proxyConnection) | bit(.te) | bit(.http2Settings) | bit(.proxyAuthenticate)
                | bit(.proxyAuthorization) | bit(.upgrade))
    }

    static var upgrade: FieldNameSet { FieldNameSet(bits: bit(.upgrade)) }

    /// Fields that describe the path of a request.
    package static var forwarding: FieldNameSet {
        FieldNameSet(
            bits: bit(.forwarded) | bit(.xForwardedFor) | bit(.xForwardedHost) | bit(.xForwardedProto)
                | bit(.xForwardedPort) | bit(.xForwardedServer) | bit(.xForwardedPrefix) | bit(.xForwardedOther)
                | bit(.xRealIP))
    }
}
