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
    /// In hexadecimal, without a leading zero byte.
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
        var reader = DERReader(bytes[...])
        guard let certificate = reader.next(), certificate.tag == 0x30, let outer = certificate.children,
            var fields = outer.first?.children
        else { return nil }
        // The version, if it is not the first one.
        if fields.first?.tag == 0xA0 { fields.removeFirst() }
        guard fields.count >= 6, fields[0].tag == 0x02, let issuer = Self.name(fields[2]),
            let validity = fields[3].children, validity.count == 2, let notBefore = Self.time(validity[0]),
            let notAfter = Self.time(validity[1]), let subject = Self.name(fields[4])
        else { return nil }
        serialNumber = Array(fields[0].content.drop { $0 == 0 })
        keyKind = Self.keyKind(fields[5])
        (self.issuer, self.subject, self.notBefore, self.notAfter) = (issuer, subject, notBefore, notAfter)
        let names = fields.first { $0.tag == 0xA3 }.flatMap(Self.alternativeNames) ?? []
        // In the order in which Go, and so Traefik, lists them.
        alternativeNames = [0x82, 0x81, 0x87, 0x86].flatMap { kind in names.filter { $0.kind == kind }.map(\.text) }
        dnsNames = names.filter { $0.kind == 0x82 }.compactMap { ServerName.normalized($0.text.utf8) }
        let common = subject.last { $0.type == "CN" }.flatMap { ServerName.normalized($0.value.utf8) }
        hostNames = names.contains { $0.kind == 0x82 } ? dnsNames : common.map { [$0] } ?? []
    }

    /// `CN=shop.example.com,O=Shop`, the most specific attribute first.
    package static func text(_ name: [Attribute]) -> String {
        name.reversed().map { "\($0.type)=\($0.value)" }.joined(separator: ",")
    }

    /// A day as in 2027-01-31, in UTC.
    ///
    /// - Parameter seconds: since 1970.
    package static func date(_ seconds: Int64) -> String {
        let days = (seconds >= 0 ? seconds : seconds - 86_399) / 86_400 + 719_468
        let era = (days >= 0 ? days : days - 146_096) / 146_097
        let ofEra = days - era * 146_097
        let year = (ofEra - ofEra / 1460 + ofEra / 36_524 - ofEra / 146_096) / 365
        let dayOfYear = ofEra - (365 * year + year / 4 - year / 100)
        let shifted = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * shifted + 2) / 5 + 1
        let month = shifted < 10 ? shifted + 3 : shifted - 9
        func two(_ number: Int64) -> String { (number < 10 ? "0" : "") + String(number) }
        return "\(year + era * 400 + (month <= 2 ? 1 : 0))-\(two(month))-\(two(day))"
    }

    /// The serial number in hexadecimal.
    package var serialText: String {
        serialNumber.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    // MARK: Reading

    private static func name(_ element: DERReader.Element) -> [Attribute]? {
        guard element.tag == 0x30, let sets = element.children else { return nil }
        var attributes: [Attribute] = []
        for set in sets {
            for pair in set.children ?? [] {
                guard let parts = pair.children, parts.count == 2, let type = parts[0].objectIdentifier else {
                    return nil
                }
                attributes.append(Attribute(type: types[type] ?? type, value: text(parts[1])))
            }
        }
        return attributes
    }

    /// Reads a subjectPublicKeyInfo (RFC 5280, section 4.1.2.7; the identifiers are those of RFC 3279 and RFC 5480).
    private static func keyKind(_ element: DERReader.Element) -> KeyKind {
        let algorithm = element.children?.first?.children ?? []
        switch algorithm.first?.objectIdentifier {
        case "1.2.840.113549.1.1.1": return .rsa
        case "1.2.840.10045.2.1":
            let curves = ["1.2.840.10045.3.1.7", "1.3.132.0.34"]
            return algorithm.dropFirst().first?.objectIdentifier.map(curves.contains) == true ? .ecdsa : .other
        default: return .other
        }
    }

    private static let types = [
        "2.5.4.3": "CN", "2.5.4.5": "SERIALNUMBER", "2.5.4.6": "C", "2.5.4.7": "L", "2.5.4.8": "ST", "2.5.4.10": "O",
        "2.5.4.11": "OU", "0.9.2342.19200300.100.1.25": "DC",
    ]

    private static func text(_ element: DERReader.Element) -> String {
        guard element.tag == 0x1E else { return String(decoding: element.content, as: UTF8.self) }
        let pairs = stride(from: element.content.startIndex, to: element.content.endIndex - 1, by: 2)
        return String(
            decoding: pairs.map { UInt16(element.content[$0]) << 8 | UInt16(element.content[$0 + 1]) }, as: UTF16.self)
    }

    /// UTCTime and GeneralizedTime, in the only forms that RFC 5280 (section 4.1.2.5) permits.
    private static func time(_ element: DERReader.Element) -> Int64? {
        let digits = element.content.prefix { (0x30...0x39).contains($0) }.map { Int64($0) - 0x30 }
        guard element.content.last == UInt8(ascii: "Z"), element.content.count == digits.count + 1 else { return nil }
        func number(_ place: Int) -> Int64 { digits[place] * 10 + digits[place + 1] }
        switch (element.tag, digits.count) {
        case (0x17, 12):
            let year = number(0)
            return seconds(year: year < 50 ? 2000 + year : 1900 + year, (2...).prefix(5).map { number(2 * $0 - 2) })
        case (0x18, 14):
            return seconds(year: number(0) * 100 + number(2), (2...).prefix(5).map { number(2 * $0) })
        default: return nil
        }
    }

    /// - Parameter parts: month, day, hour, minute, second.
    private static func seconds(year: Int64, _ parts: [Int64]) -> Int64? {
        guard (1...12).contains(parts[0]), (1...31).contains(parts[1]), parts[2] < 24, parts[3] < 60, parts[4] < 61
        else { return nil }
        // Days since 1970 in the Gregorian calendar, with years that begin in March.
        let year = parts[0] <= 2 ? year - 1 : year
        let era = year / 400
        let ofEra = year - era * 400
        let dayOfYear = (153 * ((parts[0] + 9) % 12) + 2) / 5 + parts[1] - 1
        let days = era * 146_097 + ofEra * 365 + ofEra / 4 - ofEra / 100 + dayOfYear - 719_468
        return days * 86_400 + parts[2] * 3600 + parts[3] * 60 + parts[4]
    }

    private static func alternativeNames(_ extensions: DERReader.Element) -> [(text: String, kind: UInt8)]? {
        guard let list = extensions.children?.first?.children else { return nil }
        for element in list {
            guard let parts = element.children, parts.first?.objectIdentifier == "2.5.29.17", let last = parts.last
            else {
                continue
            }
            var octets = DERReader(last.content)
            return octets.next()?.children?.compactMap { name in
                switch name.tag {
                case 0x81, 0x82, 0x86: (String(decoding: name.content, as: UTF8.self), name.tag)
                case 0x87: NumericAddress.text(Array(name.content)).map { ($0, name.tag) }
                default: nil
                }
            }
        }
        return nil
    }
}

/// An address of four or sixteen bytes as text.
private enum NumericAddress {
    static func text(_ bytes: [UInt8]) -> String? {
        switch bytes.count {
        case 4: bytes.map(String.init).joined(separator: ".")
        case 16:
            stride(from: 0, to: 16, by: 2)
                .map { String(UInt16(bytes[$0]) << 8 | UInt16(bytes[$0 + 1]), radix: 16) }.joined(separator: ":")
        default: nil
        }
    }
}
