#if canImport(Glibc)
import Glibc
#endif

/// Ports for servers that tests start.
package enum LoopbackPort {
    /// Below the ports that the kernel assigns to outgoing connections (Linux: from 32768), so that a port is still
    /// free when its server restarts.
    private static let range = 12_000..<32_000

    /// A port of 127.0.0.1 that was free a moment ago.
    package static func free() throws -> Int {
        for _ in 0..<100 {
            let port = Int.random(in: range)
            if isFree(port) { return port }
        }
        throw TCPSocket.Failure("no free port")
    }

    private static func isFree(_ port: Int) -> Bool {
        let descriptor = TCPSocket.make()
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        var address = TCPSocket.loopback(port)
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }
}
