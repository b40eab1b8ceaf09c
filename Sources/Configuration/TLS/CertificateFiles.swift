import Proxy
import Synchronization
import TLS

/// The files that certificates, keys and authorities are read from, each with the contents it had when it was first
/// read, and what was made of them. Equality is identity: other contents are another object.
package final class CertificateFiles: Sendable, Equatable {
    /// Of one file.
    package static let byteCountMax = 4 << 20

    /// A certificate and a key, as configured: paths, or PEM text.
    struct Pair: Hashable, Sendable {
        let certificate: String
        let key: String
    }

    private struct State {
        var files: [String: Result<[UInt8], FileContents.Failure>] = [:]
        var pairs: [Pair: Result<ServerCertificate, ServerCertificate.Fault>] = [:]
    }

    private let state = Mutex(State())

    package init() {}

    package static func == (left: CertificateFiles, right: CertificateFiles) -> Bool { left === right }

    /// The paths that have been asked for.
    package var paths: [String] { state.withLock { $0.files.keys.sorted() } }

    /// Whether a file has other contents now, has gone, or can be read now. Blocks.
    package func haveChanged() -> Bool {
        state.withLock { $0.files }.contains { path, known in Self.read(path) != known }
    }

    /// - Parameter text: a path, or PEM text, as Traefik accepts it.
    func bytes(of text: String) throws(FileContents.Failure) -> [UInt8] {
        if text.hasPrefix("-----BEGIN") { return Array(text.utf8) }
        if let known = state.withLock({ $0.files[text] }) { return try known.get() }
        let read = Self.read(text)
        state.withLock { $0.files[text] = read }
        return try read.get()
    }

    func certificate(_ pair: Pair, chain: [UInt8], key: [UInt8]) throws(ServerCertificate.Fault) -> ServerCertificate {
        if let known = state.withLock({ $0.pairs[pair] }) { return try known.get() }
        let made = Result { () throws(ServerCertificate.Fault) in try ServerCertificate(chain: chain, key: key) }
        state.withLock { $0.pairs[pair] = made }
        return try made.get()
    }

    private static func read(_ path: String) -> Result<[UInt8], FileContents.Failure> {
        Result { () throws(FileContents.Failure) in try FileContents.bytes(of: path, byteCountMax: byteCountMax) }
    }
}
