import Configuration
import Proxy
package import Routing
import TLS

/// The certificate of an operator, with its key, for admin listeners that demand one.
package struct AdminCertificate: Sendable {
    /// Why files cannot be used.
    package struct Failure: Error {
        /// Whether it is the file of the key that must be another.
        package let isOfKey: Bool
        /// Whether there is no key where one was looked for.
        package let lacksKey: Bool
        /// Names the file.
        package let reason: AddressError
    }

    let pair: ServerCertificate

    /// Reads files in PEM form. Blocks.
    ///
    /// - Parameters:
    ///   - certificate: the path of the certificate, with its chain.
    ///   - key: the path of its key, which may be the same file.
    package init(certificate: String, key: String) throws(Failure) {
        let chain = try Self.bytes(of: certificate, isOfKey: false)
        let keyBytes = try Self.bytes(of: key, isOfKey: true)
        do throws(ServerCertificate.Fault) {
            pair = try ServerCertificate(chain: chain, key: keyBytes)
        } catch {
            throw Failure(
                isOfKey: error.isOfKey, lacksKey: error == .noKey,
                reason: AddressError(error.isOfKey ? key : certificate, error.words))
        }
    }

    private static func bytes(of path: String, isOfKey: Bool) throws(Failure) -> [UInt8] {
        do throws(FileContents.Failure) {
            return try FileContents.bytes(of: path, byteCountMax: CertificateFiles.byteCountMax)
        } catch {
            throw Failure(isOfKey: isOfKey, lacksKey: false, reason: AddressError(path, error.reason))
        }
    }
}
