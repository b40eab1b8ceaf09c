import Foundation
import LimpetTestKit

/// Many TLS connections of one process, which are held open.
final class TLSCrowd: Sendable {
    private let process: ChildProcess

    /// Returns when all have completed their handshakes, and have been answered if they ask. Blocks.
    ///
    /// - Parameter request: what each sends; nil: nothing.
    init(
        _ count: Int, port: Int, request: [UInt8]?, over alpn: String = "http/1.1", in directory: String
    ) throws {
        let log = "\(directory)/crowd-\(UInt64.random(in: 0 ... .max))"
        let bytes = Self.hexadecimal(request ?? [])
        process = try ChildProcess(
            [TLSClient.python, "-c", Self.program, "\(port)", "\(count)", bytes, alpn], log: log)
        let isOpen = Waiting.until(within: 120) {
            process.ended != nil || (try? TextFile.read(process.outputPath)) == "open\n"
        }
        guard isOpen, process.ended == nil else {
            throw Unexpected(description: "\(count) connections: \(try TextFile.read(process.errorPath))")
        }
    }

    func close() { process.kill() }

    /// A request over HTTP/1.1.
    static let request = Array("GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n".utf8)

    private static func hexadecimal(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    private static let program = """
        import signal, socket, ssl, sys
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.set_alpn_protocols([sys.argv[4]])
        request = bytes.fromhex(sys.argv[3])
        connections = []
        for _ in range(int(sys.argv[2])):
            raw = socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=20)
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            tls = context.wrap_socket(raw, server_hostname="shop.example")
            if request:
                tls.sendall(request)
                while not tls.recv(65536): pass
            connections.append(tls)
        print("open", flush=True)
        signal.pause()
        """
}
