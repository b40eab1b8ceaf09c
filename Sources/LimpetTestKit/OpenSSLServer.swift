import Foundation

/// `openssl s_server` as an HTTPS backend. Its page shows the certificate of the client.
package final class OpenSSLServer: Sendable {
    package let name: String
    package let port: Int
    private let process: ChildProcess

    package var url: String { "https://127.0.0.1:\(port)" }

    /// Returns when it accepts connections. Blocks.
    ///
    /// - Parameters:
    ///   - clients: the file of the authorities of clients, each of which must show a certificate; nil: none is asked
    ///     for.
    ///   - version: `tls1_2` or `tls1_3`; nil: both.
    ///   - more: further arguments.
    package init(
        _ name: String, _ pair: TestAuthority.Pair, clients: String? = nil, version: String? = nil,
        _ more: [String] = [], in directory: String
    ) throws {
        self.name = name
        port = try LoopbackPort.free()
        let demands = clients.map { ["-Verify", "1", "-verify_return_error", "-CAfile", $0] } ?? []
        process = try ChildProcess(
            ["/usr/bin/openssl", "s_server", "-www", "-accept", "127.0.0.1:\(port)", "-cert", pair.certificate]
                + ["-key", pair.key] + demands + (version.map { ["-\($0)"] } ?? []) + more, log: "\(directory)/\(name)")
        guard Waiting.until(within: 20, { (try? TCPSocket(port: port)) != nil }) else {
            throw ChildProcess.Failure(description: "openssl s_server \(name): \(try TextFile.read(process.errorPath))")
        }
    }

    package func kill() { process.kill() }
}
