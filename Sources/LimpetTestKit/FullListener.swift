#if canImport(Glibc)
import Glibc
#endif

/// A listener with a full accept queue: the kernel drops connection attempts until `answerNext` makes room.
package final class FullListener: Sendable {
    package let port: Int
    private let descriptor: Int32
    /// Fills the queue.
    private let first: TCPSocket

    /// - Parameters:
    ///   - host: the last number of the address 127.0.0.`host`.
    ///   - port: any free port by default.
    package init(host: UInt8 = 1, port: Int = 0) throws {
        let listener = TCPSocket.make()
        var address = TCPSocket.loopback(port, host: host)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isListening = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                bind(listener, pointer, length) == 0 && listen(listener, 0) == 0
                    && getsockname(listener, pointer, &length) == 0
            }
        }
        guard isListening else { throw TCPSocket.Failure("listen") }
        descriptor = listener
        self.port = Int(UInt16(bigEndian: address.sin_port))
        first = try TCPSocket(port: self.port, on: host)
    }

    deinit { close(descriptor) }

    /// Whether a client is trying to connect at the moment.
    package var isTried: Bool { tries > 0 }

    /// How many clients are trying to connect at the moment (proc_net_tcp(5): state 02 is SYN_SENT).
    package var tries: Int {
        let place = String(port, radix: 16, uppercase: true)
        let target = "0100007F:" + String(repeating: "0", count: 4 - place.count) + place
        return (try? TextFile.read("/proc/net/tcp"))?.split(separator: "\n").count { line in
            let words = line.split(separator: " ")
            return words.count > 3 && words[2] == target && words[3] == "02"
        } ?? 0
    }

    /// Accepts what fills the queue. Blocks.
    package func makeRoom() { close(accept(descriptor, nil, nil)) }

    /// Makes room for a connection, and answers its request. Blocks.
    package func answerNext(_ response: String) {
        makeRoom()
        answer(response)
    }

    /// Accepts a connection, and answers its request. Blocks.
    package func answer(_ response: String) {
        let next = accept(descriptor, nil, nil)
        var bytes = [UInt8](repeating: 0, count: 4096)
        _ = read(next, &bytes, bytes.count)
        _ = response.utf8CString.withUnsafeBytes { write(next, $0.baseAddress, $0.count - 1) }
        close(next)
    }
}
