import NIOCore
import SwiftASN1

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// Those fields of a certificate (RFC 5280, section 4.1) that ``CertificateFacts`` is made of. What is wrong with the
/// others is not noticed: the library of TLS has accepted the certificate, and knows more of signatures and keys.
struct CertificateFields {
    struct AlternativeName {
        enum Kind: CaseIterable {
            case dns, mail, address, uri
        }

        let kind: Kind
        let text: String
    }

    let serialNumber: ArraySlice<UInt8>
    let issuer: [CertificateFacts.Attribute]
    let notBefore: Int64
    let notAfter: Int64
    let subject: [CertificateFacts.Attribute]
    let keyKind: CertificateFacts.KeyKind
    let alternativeNames: [AlternativeName]

    init(der bytes: [UInt8]) throws {
        guard let signed = try DER.parse(bytes).elements.first else { throw Self.malformed("an empty certificate") }
        var fields = try signed.elements
        // The version, if it is not the first one.
        if fields.first?.identifier == .tagged(0) { fields.removeFirst() }
        guard fields.count >= 6, fields[0].identifier == .integer else { throw Self.malformed("missing fields") }
        serialNumber = try fields[0].bytes
        issuer = try Self.name(fields[2])
        let validity = try fields[3].elements
        guard validity.count == 2 else { throw Self.malformed("the validity") }
        (notBefore, notAfter) = (try Self.seconds(validity[0]), try Self.seconds(validity[1]))
        subject = try Self.name(fields[4])
        keyKind = try Self.keyKind(fields[5])
        alternativeNames = try fields.first { $0.identifier == .tagged(3) }.map(Self.alternativeNames) ?? []
    }

    private static func malformed(_ reason: String) -> ASN1Error { .invalidASN1Object(reason: reason) }

    // MARK: Names

    private static let types: [ASN1ObjectIdentifier: String] = [
        .NameAttributes.commonName: "CN", .NameAttributes.serialNumber: "SERIALNUMBER",
        .NameAttributes.countryName: "C", .NameAttributes.localityName: "L",
        .NameAttributes.stateOrProvinceName: "ST", .NameAttributes.organizationName: "O",
        .NameAttributes.organizationalUnitName: "OU", .NameAttributes.domainComponent: "DC",
    ]

    private static func name(_ name: ASN1Node) throws -> [CertificateFacts.Attribute] {
        try name.elements.flatMap { try $0.elements }.map { attribute in
            let parts = try attribute.elements
            guard parts.count == 2 else { throw malformed("an attribute of a name") }
            let type = try ASN1ObjectIdentifier(derEncoded: parts[0])
            return CertificateFacts.Attribute(type: types[type] ?? type.description, value: try text(parts[1]))
        }
    }

    private static func text(_ string: ASN1Node) throws -> String {
        let bytes = try string.bytes
        switch string.identifier {
        // Nobody writes more than Latin-1 in it.
        case .teletexString: return String(String.UnicodeScalarView(bytes.map { Unicode.Scalar($0) }))
        case .bmpString:
            let pairs = stride(from: bytes.startIndex, to: bytes.endIndex - 1, by: 2)
            return String(decoding: pairs.map { UInt16(bytes[$0]) << 8 | UInt16(bytes[$0 + 1]) }, as: UTF16.self)
        default: return String(decoding: bytes, as: UTF8.self)
        }
    }

    private static func alternativeNames(_ extensions: ASN1Node) throws -> [AlternativeName] {
        for one in try extensions.elements.flatMap({ try $0.elements }) {
            let parts = try one.elements
            guard let type = parts.first, let value = parts.last,
                try ASN1ObjectIdentifier(derEncoded: type) == [2, 5, 29, 17]
            else { continue }
            return try DER.parse(ASN1OctetString(derEncoded: value).bytes).elements.compactMap(alternativeName)
        }
        return []
    }

    private static func alternativeName(_ name: ASN1Node) throws -> AlternativeName? {
        switch name.identifier {
        case .tagged(1): return AlternativeName(kind: .mail, text: String(decoding: try name.bytes, as: UTF8.self))
        case .tagged(2): return AlternativeName(kind: .dns, text: String(decoding: try name.bytes, as: UTF8.self))
        case .tagged(6): return AlternativeName(kind: .uri, text: String(decoding: try name.bytes, as: UTF8.self))
        case .tagged(7):
            let address = try? SocketAddress(packedIPAddress: ByteBuffer(bytes: try name.bytes), port: 0)
            return address?.ipAddress.map { AlternativeName(kind: .address, text: $0) }
        default: return nil
        }
    }

    // MARK: The key and times

    /// Reads a subjectPublicKeyInfo (RFC 5280, section 4.1.2.7).
    private static func keyKind(_ information: ASN1Node) throws -> CertificateFacts.KeyKind {
        guard let algorithm = try information.elements.first?.elements, let type = algorithm.first else {
            throw malformed("a key without an algorithm")
        }
        switch try ASN1ObjectIdentifier(derEncoded: type) {
        case .AlgorithmIdentifier.rsaEncryption: return .rsa
        case .AlgorithmIdentifier.idEcPublicKey:
            let curve = algorithm.dropFirst().first.map { try? ASN1ObjectIdentifier(derEncoded: $0) }
            return curve == .NamedCurves.secp256r1 || curve == .NamedCurves.secp384r1 ? .ecdsa : .other
        default: return .other
        }
    }

    /// Since 1970.
    private static func seconds(_ time: ASN1Node) throws -> Int64 {
        var parts = tm()
        if time.identifier == .utcTime {
            let time = try UTCTime(derEncoded: time)
            parts.set(time.year, time.month, time.day, time.hours, time.minutes, time.seconds)
        } else {
            let time = try GeneralizedTime(derEncoded: time)
            parts.set(time.year, time.month, time.day, time.hours, time.minutes, time.seconds)
        }
        return Int64(timegm(&parts))
    }
}

extension tm {
    fileprivate mutating func set(_ year: Int, _ month: Int, _ day: Int, _ hour: Int, _ minute: Int, _ second: Int) {
        (tm_year, tm_mon, tm_mday) = (Int32(year - 1900), Int32(month - 1), Int32(day))
        (tm_hour, tm_min, tm_sec) = (Int32(hour), Int32(minute), Int32(second))
    }
}

extension ASN1Identifier {
    /// `[number]` of a definition.
    fileprivate static func tagged(_ number: UInt) -> ASN1Identifier {
        ASN1Identifier(tagWithNumber: number, tagClass: .contextSpecific)
    }
}

extension ASN1Node {
    /// The elements of a sequence or set.
    fileprivate var elements: [ASN1Node] {
        get throws {
            guard case .constructed(let elements) = content else { throw ASN1Error.unexpectedFieldType(identifier) }
            return Array(elements)
        }
    }

    /// The bytes of what has no elements.
    fileprivate var bytes: ArraySlice<UInt8> {
        get throws {
            guard case .primitive(let bytes) = content else { throw ASN1Error.unexpectedFieldType(identifier) }
            return bytes
        }
    }
}
