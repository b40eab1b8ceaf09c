#if canImport(Glibc)
import Glibc
#endif

/// Listens, takes no connection, and has no room for another that waits: whoever connects hears nothing.
package struct FullListener: Sendable {
    package let port: Int
    private let descriptors: [Int32]

    package init() {
        let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        func socket() -> Int32 { Glibc.socket(AF_INET, kind, 0) }
        let listener = socket()
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        var clients: [Int32] = []
        withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                _ = bind(listener, address, size)
                _ = listen(listener, 0)
                _ = getsockname(listener, address, &size)
                for _ in 0..<4 {
                    clients.append(socket())
                    _ = connect(clients[clients.count - 1], address, size)
                }
            }
        }
        port = Int(UInt16(bigEndian: address.sin_port))
        descriptors = clients + [listener]
    }

    package func close() { for descriptor in descriptors { _ = Glibc.close(descriptor) } }
}
