#if canImport(Glibc)
import Glibc
#endif

/// A blocking TCP socket for tests that must control exactly which bytes are sent when, and see exactly what is
/// received.
///
/// Unchecked: the descriptor is set once; the kernel serialises concurrent calls on it.
package final class TCPSocket: @unchecked Sendable {
    private let descriptor: Int32
    private var isClosed = false

    package struct Failure: Error, CustomStringConvertible {
        package let description: String
        /// The `errno` of the failed call.
        package let code: Int32

        init(_ what: String) {
            code = errno
            description = "\(what): \(String(cString: strerror(code)))"
        }

        /// The port is closed.
        package var isRefusal: Bool { code == ECONNREFUSED }
        /// The other end reset the connection.
        package var isReset: Bool { code == ECONNRESET }
        /// Nothing was received, or nothing was accepted, before the timeout.
        package var isTimeout: Bool { code == EAGAIN }
    }

    /// Takes over a descriptor that `accept` returned.
    convenience init(accepted descriptor: Int32) {
        self.init(descriptor)
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    }

    /// Sends each piece at once: Nagle's algorithm would keep a piece back for as long as the peer delays its ACK.
    private init(_ descriptor: Int32) {
        self.descriptor = descriptor
        var isOn: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &isOn, socklen_t(MemoryLayout<Int32>.size))
    }

    /// Connects to a port on 127.0.0.`target`. Reads and writes fail after `timeout` seconds.
    ///
    /// - Parameter host: the last number of the source address 127.0.0.`host`; nil: chosen by the kernel.
    package convenience init(
        port: Int, on target: UInt8 = 1, timeout: Int = 10, from host: UInt8? = nil
    ) throws {
        let descriptor = Self.make()
        guard descriptor >= 0 else { throw Failure("socket") }
        let isConnected =
            (host.map { Self.call(bind, descriptor, Self.loopback(0, host: $0)) } ?? true)
            && Self.call(connect, descriptor, Self.loopback(port, host: target))
        guard isConnected else {
            let failure = Failure("connect to port \(port)")
            Glibc.close(descriptor)
            throw failure
        }
        self.init(descriptor)
        setTimeout(seconds: timeout)
    }

    private static func call(
        _ function: (Int32, UnsafePointer<sockaddr>, socklen_t) -> Int32, _ descriptor: Int32, _ address: sockaddr_in
    ) -> Bool {
        withUnsafePointer(to: address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                function(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }

    deinit { close() }

    /// A descriptor that child processes do not inherit; negative on failure.
    static func make() -> Int32 {
        socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    }

    static func loopback(_ port: Int, host: UInt8 = 1) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(UInt16(port).bigEndian)
        address.sin_addr.s_addr = (0x7F00_0000 | UInt32(host)).bigEndian
        return address
    }

    package func setTimeout(seconds: Int) {
        var time = timeval(tv_sec: seconds, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
    }

    package func send(_ text: String) throws { try send(Array(text.utf8)) }

    package func send(_ bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress! + sent, bytes.count - sent, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { throw Failure("send") }
            sent += count
        }
    }

    /// The next bytes; empty at the end of the stream.
    package func receive(upTo count: Int = 64 * 1024) throws -> [UInt8] {
        var storage = [UInt8](repeating: 0, count: count)
        let received = recv(descriptor, &storage, count, 0)
        guard received >= 0 else { throw Failure("receive") }
        return Array(storage[..<received])
    }

    /// Everything until the peer closes.
    package func receiveAll() throws -> [UInt8] {
        var all: [UInt8] = []
        while true {
            let piece = try receive()
            if piece.isEmpty { return all }
            all += piece
        }
    }

    /// Reads one byte at a time until the text ends in `ending`.
    package func receive(until ending: String) throws -> String {
        var all: [UInt8] = []
        while !all.ends(in: ending.utf8) {
            let piece = try receive(upTo: 1)
            guard !piece.isEmpty else { throw Failure("the stream ended before \(ending.debugDescription)") }
            all += piece
        }
        return String(decoding: all, as: UTF8.self)
    }

    /// Sends FIN; the socket can still read.
    package func closeOutput() {
        shutdown(descriptor, Int32(SHUT_WR))
    }

    /// Sends FIN, and ends a read of another thread.
    package func closeBoth() {
        shutdown(descriptor, Int32(SHUT_RDWR))
    }

    /// Closes with a reset instead of FIN.
    package func reset() {
        var linger = Glibc.linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<Glibc.linger>.size))
        close()
    }

    package func close() {
        guard !isClosed else { return }
        isClosed = true
        Glibc.close(descriptor)
    }
}

extension [UInt8] {
    func ends(in ending: String.UTF8View) -> Bool {
        count >= ending.count && suffix(ending.count).elementsEqual(ending)
    }
}
