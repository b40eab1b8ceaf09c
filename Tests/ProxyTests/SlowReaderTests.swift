import LimpetTestKit
import NIOCore
import Synchronization
import Testing

@testable import Proxy

@Suite("A client that reads slowly")
struct SlowReaderTests {
    private static let piece = "8000\r\n\(String(repeating: "x", count: 0x8000))\r\n"
    private static let end = "0\r\n\r\n"

    /// The bytes that the kernel has taken from the proxy's client connection and that nobody has read. In
    /// proc_net_tcp(5) the queues of a socket, to be sent and to be read, stand behind the addresses and the state.
    private static func queued(from port: Int) throws -> Int {
        let place =
            ":" + String(repeating: "0", count: max(0, 4 - String(port, radix: 16).count))
            + String(port, radix: 16, uppercase: true)
        return try TextFile.read("/proc/net/tcp").split(separator: "\n").reduce(0) { sum, line in
            let words = line.split(separator: " ")
            guard words.count > 4, words[3] != "0A" else { return sum }
            let queues = words[4].split(separator: ":").compactMap { Int($0, radix: 16) }
            guard queues.count == 2 else { return sum }
            return sum + (words[1].hasSuffix(place) ? queues[0] : words[2].hasSuffix(place) ? queues[1] : 0)
        }
    }

    @Test(
        "gets the end of a response behind which its connection closes, however long it takes to come to it",
        arguments: [false, true])
    func lastBytes(hasEndedItsSide: Bool) async throws {
        let port = Mutex(0)
        let ended = ScriptedBackend.Flag()
        let sent = Counter()
        let backend = try ScriptedBackend { connection, _ in
            _ = try connection.receive(until: "\r\n\r\n")
            try connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            // Until the kernel takes no more, and a little waits in the proxy.
            let isFull = try Waiting.until(within: 20) {
                try connection.send(Self.piece)
                sent.add(Self.piece.utf8.count)
                return try !Waiting.until(within: 0.05) {
                    try Self.queued(from: port.withLock { $0 }) >= sent.value - 4096
                }
            }
            if isFull { try connection.send(Self.end) }
            ended.set()
            _ = try connection.receive()
        }
        defer { backend.close() }
        var options = ProxyHarness.Options()
        options.limits.lingerTimeout = .milliseconds(100)
        try await withProxy(to: [backend.port], options) { proxy in
            port.withLock { $0 = proxy.port }
            let client = try proxy.connect()
            try client.send("GET / HTTP/1.1\r\nHost: h\r\nX-Session-ID: s\r\nConnection: close\r\n\r\n")
            if hasEndedItsSide { client.closeOutput() }
            let hasEnded = try await Threads.run { ended.isSet(within: 25) }
            #expect(hasEnded)
            try await #expect(eventually { try await proxy.counters().requestsInFlight == 0 })
            // Longer than the connection lingers, and a sweep.
            try await Task.sleep(for: .milliseconds(600))
            let received = String(decoding: try client.receiveAll(), as: UTF8.self)
            #expect(received.hasSuffix("\r\n" + Self.end))
            #expect(received.utf8.count { $0 == UInt8(ascii: "x") } == sent.value / Self.piece.utf8.count * 0x8000)
        }
    }
}
