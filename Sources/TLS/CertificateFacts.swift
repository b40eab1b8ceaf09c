#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// What a certificate says about itself (RFC 5280), as far as people and backends are told. Nothing here is verified.
package struct CertificateFacts: Equatable, Sendable {
    /// One attribute of a distinguished name.
    package struct Attribute: Equatable, Sendable {
        /// `CN`, `O`, `OU`, `C`, `L`, `ST`, `DC`, `SERIALNUMBER`, or an object identifier.
        package let type: String
        package let value: String
    }

    /// Whose signatures the key makes: a suite of TLS 1.2 fits one of them.
    package enum KeyKind: Equatable, Sendable {
        /// On P-256 or P-384.
        case ecdsa
        case rsa
        /// No handshake is signed with it.
        case other
    }

    package let keyKind: KeyKind
    package let subject: [Attribute]
    package let issuer: [Attribute]
    /// Without leading zero bytes.
    package let serialNumber: [UInt8]
    /// Seconds since 1970.
    package let notBefore: Int64
    package let notAfter: Int64
    /// DNS names, mail addresses, addresses, URIs, as written in the certificate.
    package let alternativeNames: [String]
    /// The normalized DNS names among the alternative names.
    let dnsNames: [String]
    /// The normalized host names that the certificate covers: DNS names among the alternative names, and the common
    /// name if there are none.
    package let hostNames: [String]

    /// Nil if the bytes are not the DER form of a certificate.
    package init?(der bytes: [UInt8]) {
        guard let fields = try? CertificateFields(der: bytes) else { return nil }
        (subject, issuer, keyKind) = (fields.subject, fields.issuer, fields.keyKind)
        serialNumber = Array(fields.serialNumber.drop { $0 == 0 })
        (notBefore, notAfter) = (fields.notBefore, fields.notAfter)
        let names = fields.alternativeNames
        // In the order in which Go, and so Traefik, lists them.
        alternativeNames = CertificateFields.AlternativeName.Kind.allCases.flatMap { kind in
            names.filter { $0.kind == kind }.map(\.text)
        }
        dnsNames = names.filter { $0.kind == .dns }.compactMap { ServerName.normalized($0.text.utf8) }
        let common = subject.last { $0.type == "CN" }.flatMap { ServerName.normalized($0.value.utf8) }
        hostNames = names.contains { $0.kind == .dns } ? dnsNames : common.map { [$0] } ?? []
    }

    /// Whether it is valid now, by its dates.
    package var isCurrent: Bool {
        let now = Int64(time(nil))
        return notBefore <= now && now <= notAfter
    }

    /// `CN=shop.example.com,O=Shop`, the most specific attribute first.
    package static func text(_ name: [Attribute]) -> String {
        name.reversed().map { "\($0.type)=\($0.value)" }.joined(separator: ",")
    }

    /// A day as in 2027-01-31, in UTC.
    ///
    /// - Parameter seconds: since 1970.
    package static func date(_ seconds: Int64) -> String {
        var (time, parts) = (time_t(seconds), tm())
        gmtime_r(&time, &parts)
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 32) { text in
            let count = strftime(text.baseAddress, text.count, "%Y-%m-%d", &parts)
            return String(decoding: UnsafeRawBufferPointer(text).prefix(count), as: UTF8.self)
        }
    }

    /// The serial number in hexadecimal.
    package var serialText: String {
        serialNumber.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
