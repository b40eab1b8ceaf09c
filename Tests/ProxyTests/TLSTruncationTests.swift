import Foundation
import LimpetTestKit
import TLS
import Testing

@testable import Proxy

@Suite("Ends of TLS connections to backends", .serialized)
struct TLSTruncationTests {
    /// A server in Python that answers each connection with half a response whose end is that of the connection.
    private static let program = #"""
        socket, ssl, sys = map(__import__, ("socket", "ssl", "sys"))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[1], sys.argv[2])
        listener = socket.create_server(("127.0.0.1", 0))
        print(listener.getsockname()[1], flush=True)
        while True:
            raw, _ = listener.accept()
            try:
                tls = context.wrap_socket(raw, server_side=True)
                head = b""
                while b"\r\n\r\n" not in head: head += tls.recv(65536)
                tls.sendall(b"HTTP/1.1 200 OK\r\n\r\nhalf")
                if b"GET /clean" in head:
                    try: tls.unwrap()
                    except OSError: pass
                raw = socket.socket(fileno=tls.detach())
                raw.shutdown(socket.SHUT_WR)
                raw.close()
            except OSError:
                raw.close()
        """#

    @Test("an end without a word of TLS, or one by it: only the second ends a body that has no length")
    func truncated() async throws {
        let authority = try TestAuthority(in: TemporaryFile.path())
        let pair = try authority.issue("server", "IP:127.0.0.1")
        let server = try ChildProcess(
            [TLSClient.python, "-c", Self.program, pair.certificate, pair.key], log: "\(authority.directory)/server")
        defer { server.kill() }
        #expect(Waiting.until(within: 10) { (try? TextFile.read(server.outputPath).hasSuffix("\n")) == true })
        let text = try TextFile.read(server.outputPath)
        let port = try #require(Int(text.dropLast()))
        var settings = BackendTLSSettings()
        settings.client.authorities = try ServerCertificate.authorities(authority.root.certificateBytes)
        var options = ProxyHarness.Options()
        options.backendTLS = try BackendTLS(settings)
        try await withProxy(to: [port], options) { proxy in
            func response(_ path: String) throws -> String {
                try proxy.exchange("GET \(path) HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
            }
            let clean = try response("/clean")
            #expect(clean.hasPrefix("HTTP/1.1 200 ") && clean.hasSuffix("\r\n4\r\nhalf\r\n0\r\n\r\n"), "\(clean)")
            let cut = try response("/cut")
            #expect(cut.hasPrefix("HTTP/1.1 200 ") && cut.hasSuffix("half\r\n"), "\(cut)")
        }
    }
}
