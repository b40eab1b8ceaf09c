import Synchronization

#if canImport(Glibc)
import Glibc
#endif

/// Ports for servers that tests start.
package enum LoopbackPort {
    /// Below the ports that the kernel assigns to outgoing connections (Linux: from 32768), so that a port is still
    /// free when its server restarts.
    private static let range = 12_000..<32_000
    private static let given = Mutex<Set<Int>>([])

    /// A port of 127.0.0.1 that was free a moment ago. Never the same one twice: its server may not listen yet, or be
    /// about to start again.
    package static func free() throws -> Int {
        for _ in 0..<1000 {
            let port = Int.random(in: range)
            if isFree(port), given.withLock({ $0.insert(port).inserted }) { return port }
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
