import LimpetTestKit
import Testing

@testable import Proxy

@Suite("A silent peer that is gone")
struct KeepAliveTests {
    /// The seconds until the kernel's keep-alive timer of each established socket with this port, its own or its
    /// peer's; nil where none runs. In proc_net_tcp(5) the timer stands behind addresses, state and queues.
    private static func timers(_ port: Int, isOwn: Bool) throws -> [Double?] {
        let digits = String(port, radix: 16, uppercase: true)
        let place = ":" + String(repeating: "0", count: 4 - digits.count) + digits
        return try TextFile.read("/proc/net/tcp").split(separator: "\n").compactMap { line -> Double?? in
            let words = line.split(separator: " ")
            guard words.count > 5, words[3] == "01", words[isOwn ? 1 : 2].hasSuffix(place) else { return nil }
            let timer = words[5].split(separator: ":")
            guard timer.count == 2, timer[0] == "02", let ticks = Int(timer[1], radix: 16) else { return .some(nil) }
            return .some(Double(ticks) / 100)
        }
    }

    @Test("is asked by the kernel after a minute, on either side")
    func timer() async throws {
        let backend = try ScriptedBackend.answering(ok("served"))
        defer { backend.close() }
        try await withProxy(to: [backend.port]) { proxy in
            let client = try proxy.connect()
            try client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            _ = try client.receive(until: "served")
            // Where bytes are not acknowledged yet, another timer runs.
            for (port, isOwn) in [(proxy.port, true), (backend.port, false)] {
                try await #expect(
                    eventually {
                        let timers = try Self.timers(port, isOwn: isOwn)
                        return timers.count == 1 && timers.allSatisfy { ($0 ?? 0) > 0 && ($0 ?? 0) <= 60 }
                    })
            }
        }
    }
}
