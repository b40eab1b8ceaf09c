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
            [TLSClient.python] + Self.arguments(name, pair, "127.0.0.1", self.port), log: "\(directory)/\(name)")
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

    /// What Python is told. The files are read here, so that it can run where they are not.
    static func arguments(_ name: String, _ pair: TestAuthority.Pair, _ address: String, _ port: Int) -> [String] {
        let texts = [pair.certificateBytes, pair.keyBytes].map { String(decoding: $0, as: UTF8.self) }
        return ["-c", program, address, "\(port)", name] + texts
    }

    private static let program = """
        import http.server, ssl, sys, tempfile

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            def do_GET(self):
                self.send_response(200)
                self.send_header("X-Backend", sys.argv[3])
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
        with tempfile.NamedTemporaryFile("w") as file:
            file.write(sys.argv[4] + sys.argv[5])
            file.flush()
            context.load_cert_chain(file.name)
        Server((sys.argv[1], int(sys.argv[2])), Handler).serve_forever()
        """
}
