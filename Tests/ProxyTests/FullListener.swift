import LimpetTestKit

@testable import Proxy

#if canImport(Glibc)
import Glibc
#endif

/// Listens, and lets nobody connect until it is told to: the kernel drops what does not fit into its queue.
final class FullListener: Sendable {
    let port: Int
    private let descriptor: Int32
    private let first: TCPSocket

    init() throws {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                _ = bind(listener, pointer, length)
                _ = listen(listener, 0)
                _ = getsockname(listener, pointer, &length)
            }
        }
        descriptor = listener
        port = Int(UInt16(bigEndian: address.sin_port))
        first = try TCPSocket(port: port)
    }

    deinit { close(descriptor) }

    /// Lets the next one in, and answers its request.
    func answerNext(_ response: String) {
        close(accept(descriptor, nil, nil))
        let next = accept(descriptor, nil, nil)
        var bytes = [UInt8](repeating: 0, count: 4096)
        _ = read(next, &bytes, bytes.count)
        _ = response.utf8CString.withUnsafeBytes { write(next, $0.baseAddress, $0.count - 1) }
        close(next)
    }
}
