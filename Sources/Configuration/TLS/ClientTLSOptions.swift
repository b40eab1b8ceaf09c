import Foundation
import Proxy
package import TLS

/// The section `tls` of a server that is not a backend, such as `store.redis.tls`, in Traefik's names: how it is
/// reached over TLS, with files that can be read again.
package struct ClientTLSOptions: Equatable, Sendable {
    static let keys = ["ca", "cert", "key", "insecureSkipVerify", "serverName"]

    /// A mistake in a file.
    package struct Fault: Error, Equatable, CustomStringConvertible {
        /// The key that names the file.
        let key: String
        /// As in "/run/ca.pem cannot be read: no such file or directory".
        let words: String

        package var description: String { "tls.\(key): \(words)" }
    }

    /// What the files said at the start.
    package private(set) var settings = ClientTLSSettings()
    /// Paths, or PEM text.
    private var ca: String?
    private var cert: String?
    private var key: Secret?

    init() {}

    /// What is configured is compared: renewed files leave the configuration as it is.
    package static func == (left: Self, right: Self) -> Bool {
        (left.ca, left.cert, left.key) == (right.ca, right.cert, right.key)
            && left.settings.serverName == right.settings.serverName
            && left.settings.isInsecure == right.settings.isInsecure
    }

    init(_ section: SettingSection) {
        section.check(known: Self.keys)
        settings.serverName = section["serverName"].flatMap(BackendTLSSettings.serverName)
        settings.isInsecure = section["insecureSkipVerify"]?.bool() ?? false
        ca = section["ca"]?.nonEmptyString()
        cert = section["cert"]?.nonEmptyString()
        key = (section["key"]?.nonEmptyString()).map { Secret(Array($0.utf8)) }
        guard (section["cert"] == nil) == (section["key"] == nil) else {
            let (present, missing) = section["key"] == nil ? ("cert", "key") : ("key", "cert")
            section[present]?.diagnostic("needs \(missing), the other half of the pair")
            return
        }
        do throws(Fault) {
            settings = try reread()
        } catch {
            section[error.key]?.diagnostic(error.words)
        }
        warn(section, now: Int64(Date().timeIntervalSince1970))
    }

    /// - Parameter now: seconds since 1970.
    private func warn(_ section: SettingSection, now: Int64) {
        if let cert, let facts = settings.certificate?.facts {
            section["cert"]?.warn(of: facts, Self.name(cert), "the server refuses it", now: now)
        }
        if settings.isInsecure {
            section["ca"]?.warning("has no effect: insecureSkipVerify accepts any certificate")
            section["serverName"]?.warning(
                "is asked for, but not verified: insecureSkipVerify accepts any certificate")
        } else if let ca, let facts = settings.authorities.flatMap({ Self.best($0, now: now) }) {
            section["ca"]?.warn(of: facts, Self.name(ca), "no certificate of it is accepted", now: now)
        }
    }

    /// The authority that serves longest: a file may keep old ones, too.
    private static func best(_ authorities: [[UInt8]], now: Int64) -> CertificateFacts? {
        let all = authorities.compactMap { CertificateFacts(der: $0) }
        return all.filter { $0.notBefore <= now }.max { $0.notAfter < $1.notAfter }
            ?? all.min { $0.notBefore < $1.notBefore }
    }

    /// Reads the files again; the other settings are those of the start. Blocks.
    package func reread() throws(Fault) -> ClientTLSSettings {
        var settings = settings
        if let ca {
            let bytes = try Self.bytes(of: ca, "ca")
            do throws(ServerCertificate.Fault) {
                settings.authorities = try ServerCertificate.authorities(bytes)
            } catch {
                throw Fault(key: "ca", words: Self.name(ca) + error.words)
            }
        }
        if let cert, let key = key.map({ String(decoding: $0.bytes, as: UTF8.self) }) {
            let (chain, own) = (try Self.bytes(of: cert, "cert"), try Self.bytes(of: key, "key"))
            do throws(ServerCertificate.Fault) {
                settings.certificate = try ServerCertificate(chain: chain, key: own)
            } catch {
                throw Fault(
                    key: error.isOfKey ? "key" : "cert", words: Self.name(error.isOfKey ? key : cert) + error.words)
            }
        }
        return settings
    }

    private static func bytes(of text: String, _ key: String) throws(Fault) -> [UInt8] {
        if text.hasPrefix("-----BEGIN") { return Array(text.utf8) }
        do throws(FileContents.Failure) {
            return try FileContents.bytes(of: text, byteCountMax: CertificateFiles.byteCountMax)
        } catch {
            throw Fault(key: key, words: "\(text) \(error.reason): name a PEM file that Limpet can read")
        }
    }

    /// PEM text is not shown.
    private static func name(_ text: String) -> String { text.hasPrefix("-----BEGIN") ? "" : text + " " }
}
