import Foundation

/// Listens, and takes no connection.
struct FullListener {
    let port: Int
    private let descriptors: [Int32]

    init() throws {
        let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        func socket() -> Int32 { Foundation.socket(AF_INET, kind, 0) }
        let listener = socket()
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        var clients: [Int32] = []
        withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                bind(listener, address, size)
                listen(listener, 0)
                getsockname(listener, address, &size)
                for _ in 0..<4 {
                    clients.append(socket())
                    connect(clients[clients.count - 1], address, size)
                }
            }
        }
        port = Int(UInt16(bigEndian: address.sin_port))
        descriptors = clients + [listener]
    }

    func close() { for descriptor in descriptors { Foundation.close(descriptor) } }
}
