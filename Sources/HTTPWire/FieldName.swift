/// The field names that matter to a proxy, recognised case-insensitively while a head is scanned.
package enum FieldName: UInt8, Sendable, CaseIterable {
    case other
    case host, connection, contentLength, transferEncoding
    case cookie, setCookie, authorization
    case expect, upgrade, te, trailer
    case keepAlive, proxyConnection, proxyAuthenticate, proxyAuthorization, http2Settings
    case forwarded, xForwardedFor, xForwardedHost, xForwardedProto, xForwardedPort, xForwardedServer
    case xForwardedPrefix, xRealIP
    /// Any other name that begins with `X-Forwarded-`.
    case xForwardedOther
    case via, date, server
    case contentType, contentEncoding, contentRange

    /// The name in lower case. Empty for `.other`; the common prefix for `.xForwardedOther`.
    @inline(__always)
    package var lowercase: StaticString {
        switch self {
        case .other: ""
        case .host: "host"
        case .connection: "connection"
        case .contentLength: "content-length"
        case .transferEncoding: "transfer-encoding"
        case .cookie: "cookie"
        case .setCookie: "set-cookie"
        case .authorization: "authorization"
        case .expect: "expect"
        case .upgrade: "upgrade"
        case .te: "te"
        case .trailer: "trailer"
        case .keepAlive: "keep-alive"
        case .http2Settings: "http2-settings"
        case .proxyConnection: "proxy-connection"
        case .proxyAuthenticate: "proxy-authenticate"
        case .proxyAuthorization: "proxy-authorization"
        case .forwarded: "forwarded"
        case .xForwardedFor: "x-forwarded-for"
        case .xForwardedHost: "x-forwarded-host"
        case .xForwardedProto: "x-forwarded-proto"
        case .xForwardedPort: "x-forwarded-port"
        case .xForwardedServer: "x-forwarded-server"
        case .xForwardedPrefix: "x-forwarded-prefix"
        case .xRealIP: "x-real-ip"
        case .xForwardedOther: "x-forwarded-"
        case .via: "via"
        case .date: "date"
        case .server: "server"
        case .contentType: "content-type"
        case .contentEncoding: "content-encoding"
        case .contentRange: "content-range"
        }
    }

    /// Whether a peer cannot have this field removed by naming it in `Connection`. A peer must not strip fields that
    /// frame, route or authenticate a message, or say where it came from.
    var isProtectedFromNomination: Bool {
        switch self {
        case .host, .contentLength, .transferEncoding, .cookie, .setCookie, .authorization, .expect, .forwarded,
            .xForwardedFor, .xForwardedHost, .xForwardedProto, .xForwardedPort, .xForwardedServer,
            .xForwardedPrefix, .xRealIP, .xForwardedOther, .via, .date, .contentType, .contentEncoding,
            .contentRange:
            true
        case .other, .connection, .upgrade, .te, .trailer, .keepAlive, .http2Settings, .proxyConnection,
            .proxyAuthenticate, .proxyAuthorization, .server:
            false
        }
    }

    /// The well-known name that equals the bytes in any mixture of cases, or `.other`.
    package init(spelledBy name: UnsafeRawBufferPointer) {
        guard let start = name.baseAddress, !name.isEmpty else {
            self = .other
            return
        }
        self = Self.recognise(start, count: name.count)
    }

    /// The well-known name that equals these token bytes (at least one) in any mixture of cases, or `.other`.
    static func recognise(_ name: UnsafeRawPointer, count: Int) -> FieldName {
        let found = wellKnown(name, count: count)
        guard found == .other, count > 12 else { return found }
        return FieldName.xForwardedOther.isSpelt(by: name, 12) ? .xForwardedOther : .other
    }

    @inline(__always)
    private static func wellKnown(_ name: UnsafeRawPointer, count: Int) -> FieldName {
        switch count {
        case 2: spelling(name, count, .te)
        case 3: spelling(name, count, .via)
        case 4: spelling(name, count, .host, .date)
        case 6: spelling(name, count, .cookie, .expect, .server)
        case 7: spelling(name, count, .upgrade, .trailer)
        case 9: spelling(name, count, .forwarded, .xRealIP)
        case 10: spelling(name, count, .connection, .setCookie, .keepAlive)
        case 12: spelling(name, count, .contentType)
        case 13: spelling(name, count, .authorization, .contentRange)
        case 14: spelling(name, count, .contentLength, .http2Settings)
        case 15: spelling(name, count, .xForwardedFor)
        case 16: spelling(name, count, .contentEncoding, .proxyConnection, .xForwardedHost, .xForwardedPort)
        case 17: spelling(name, count, .transferEncoding, .xForwardedProto)
        case 18: spelling(name, count, .proxyAuthenticate, .xForwardedServer, .xForwardedPrefix)
        case 19: spelling(name, count, .proxyAuthorization)
        default: .other
        }
    }

    /// The first of the candidates (all of `count` bytes) that equals the bytes.
    @inline(__always)
    private static func spelling(
        _ name: UnsafeRawPointer, _ count: Int, _ first: FieldName, _ second: FieldName = .other,
        _ third: FieldName = .other, _ fourth: FieldName = .other
    ) -> FieldName {
        if first.isSpelt(by: name, count) { return first }
        if second != .other, second.isSpelt(by: name, count) { return second }
        if third != .other, third.isSpelt(by: name, count) { return third }
        if fourth != .other, fourth.isSpelt(by: name, count) { return fourth }
        return .other
    }

    @inline(__always)
    private func isSpelt(by name: UnsafeRawPointer, _ count: Int) -> Bool {
        let spelling = UnsafeRawPointer(lowercase.utf8Start)
        guard name.load(as: UInt8.self) | 0x20 == spelling.load(as: UInt8.self) else { return false }
        return CaseInsensitive.equal(name, toLowercase: spelling, count: count)
    }

    /// Whether the name is not well known, but becomes so if every run of hyphens and underscores is replaced by one
    /// hyphen. A backend that maps names to CGI variables, or tolerates such spellings, would take it for the real one.
    static func isAlias(_ name: UnsafeRawPointer, count: Int) -> Bool {
        withUnsafeTemporaryAllocation(byteCount: longestName + 1, alignment: 1) { plain in
            var length = 0
            var endsInHyphen = false
            for index in 0..<count where length < plain.count {
                let byte = name.load(fromByteOffset: index, as: UInt8.self)
                let isDelimiter = byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_")
                if isDelimiter && endsInHyphen { continue }
                plain[length] = isDelimiter ? UInt8(ascii: "-") : byte
                endsInHyphen = isDelimiter
                length += 1
            }
            guard let base = plain.baseAddress, length > 0 else { return false }
            return recognise(base, count: length) != .other
        }
    }

    /// The length of `proxy-authorization`. One extra byte keeps a longer name from being mistaken for it.
    private static var longestName: Int { 19 }
}
