import Foundation
import LimpetTestKit

/// An HTTPS server in Python that says its name, on a port that it keeps when it starts again with another certificate.
/// It speaks HTTP/1.1 and keeps its connections.
final class TLSBackend: Sendable {
    let name: String
    let port: Int
    private let directory: String
    private let process: ChildProcess

    /// Returns when it accepts connections. Blocks.
    init(_ name: String, _ pair: TestAuthority.Pair, in directory: String, port: Int? = nil) throws {
        (self.name, self.directory) = (name, directory)
        self.port = try port ?? LoopbackPort.free()
        process = try ChildProcess(
            [TLSClient.python, "-c", Self.program, "\(self.port)", name, pair.certificate, pair.key],
            log: "\(directory)/\(name)")
        guard Waiting.until(within: 20, { (try? TCPSocket(port: self.port)) != nil }) else {
            throw Unexpected(description: "backend \(name): \(try TextFile.read(process.errorPath))")
        }
    }

    /// Another process in the place of this one.
    func startAgain(_ pair: TestAuthority.Pair) throws -> TLSBackend {
        process.kill()
        return try TLSBackend(name, pair, in: directory, port: port)
    }

    func kill() { process.kill() }

    private static let program = """
        import http.server, ssl, sys

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            def do_GET(self):
                self.send_response(200)
                self.send_header("X-Backend", sys.argv[2])
                self.send_header("Content-Length", "0")
                self.end_headers()
            def log_message(self, *arguments): pass

        class Server(http.server.ThreadingHTTPServer):
            # The handshake is the thread's, not that of the accepting loop.
            def finish_request(self, connection, address):
                try: connection = context.wrap_socket(connection, server_side=True)
                except OSError: return
                super().finish_request(connection, address)

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[3], sys.argv[4])
        Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
        """
}
