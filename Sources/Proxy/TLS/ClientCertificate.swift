import Routing
import SwiftASN1
import TLS

/// The certificate that a client of TLS has shown, verified as far as the options of its connection demand.
package final class ClientCertificate: Sendable {
    let der: [UInt8]
    /// Nil: it cannot be read.
    let facts: CertificateFacts?
    /// What `passTLSClientCert.pem` passes on: PEM without its first and last line and its line ends.
    let text: [UInt8]

    init(der: [UInt8]) {
        self.der = der
        facts = CertificateFacts(der: der)
        text = PEMDocument(type: "CERTIFICATE", derBytes: der).pemString
            .split(separator: "\n").dropFirst().dropLast().flatMap(\.utf8)
    }
}

/// `passTLSClientCert`: passes the client's certificate on to the backend. Fields of these names that the client sent
/// are removed, whether it has a certificate or not.
package struct PassTLSClientCert: Equatable, Sendable {
    package struct Info: Equatable, Sendable {
        package var notAfter = false
        package var notBefore = false
        package var sans = false
        package var serialNumber = false
        /// The types of attributes, as in `CN`; nil: the subject is not passed on.
        package var subject: [String]?
        package var issuer: [String]?

        package init() {}
    }

    static let certificateField = "X-Forwarded-Tls-Client-Cert"
    static let infoField = "X-Forwarded-Tls-Client-Cert-Info"

    package var pem: Bool
    package var info: Info?

    package init(pem: Bool, info: Info?) {
        self.pem = pem
        self.info = info
    }

    func edits(for certificate: ClientCertificate?) -> [FieldEdit] {
        var edits = [FieldEdit.remove(name: Self.certificateField), .remove(name: Self.infoField)]
        guard let certificate else { return edits }
        if pem { edits.append(.set(name: Self.certificateField, value: certificate.text)) }
        if let info, let facts = certificate.facts {
            edits.append(.set(name: Self.infoField, value: info.escaped(facts)))
        }
        return edits
    }
}

extension PassTLSClientCert.Info {
    /// In Traefik's form, percent-encoded as in a query.
    func escaped(_ facts: CertificateFacts) -> [UInt8] {
        var parts: [String] = []
        for (name, types, attributes) in [
            ("Subject", subject, facts.subject), ("Issuer", issuer, facts.issuer),
        ] {
            let text = types.map { Self.text(attributes, $0) } ?? ""
            if !text.isEmpty { parts.append("\(name)=\"\(text)\"") }
        }
        if serialNumber { parts.append("SerialNumber=\"\(facts.serialDecimal)\"") }
        if notBefore { parts.append("NB=\"\(facts.notBefore)\"") }
        if notAfter { parts.append("NA=\"\(facts.notAfter)\"") }
        if sans, !facts.alternativeNames.isEmpty {
            parts.append("SAN=\"\(facts.alternativeNames.joined(separator: ","))\"")
        }
        return Self.escape(parts.joined(separator: ";"))
    }

    private static func text(_ attributes: [CertificateFacts.Attribute], _ types: [String]) -> String {
        types.flatMap { type in
            attributes.filter { $0.type == type && !$0.value.isEmpty }
                .map { "\(type == "SERIALNUMBER" ? "SN" : type)=\($0.value)" }
        }.joined(separator: ",")
    }

    private static func escape(_ text: String) -> [UInt8] {
        text.utf8.flatMap { byte -> [UInt8] in
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."),
                UInt8(ascii: "~"):
                [byte]
            case UInt8(ascii: " "): [UInt8(ascii: "+")]
            default: PercentEscape.triple(byte)
            }
        }
    }
}

extension CertificateFacts {
    /// The serial number in decimal.
    fileprivate var serialDecimal: String {
        var digits: [UInt8] = [0]
        for byte in serialNumber {
            var carry = Int(byte)
            for index in digits.indices {
                carry += Int(digits[index]) << 8
                digits[index] = UInt8(carry % 10)
                carry /= 10
            }
            while carry > 0 {
                digits.append(UInt8(carry % 10))
                carry /= 10
            }
        }
        return digits.reversed().map { String($0) }.joined()
    }
}
