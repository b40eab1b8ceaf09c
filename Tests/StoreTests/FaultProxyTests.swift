import LimpetTestKit
import Testing

/// Against a real redis-server, spoken to inline.
@Suite("The fault proxy", .serialized, .timeLimit(.minutes(1)))
struct FaultProxyTests {
    private static func run(_ body: @escaping @Sendable (RedisServer, FaultProxy) throws -> Void) async throws {
        try await Threads.run {
            let redis = try RedisServer()
            let proxy = try FaultProxy(target: redis.port)
            defer { proxy.stop() }
            try body(redis, proxy)
        }
    }

    private static func send(_ socket: TCPSocket, _ command: String = "PING") throws -> String {
        try socket.send(command + "\r\n")
        return try socket.receive(until: "\r\n")
    }

    private static func subscriber(_ proxy: FaultProxy) throws -> TCPSocket {
        let socket = try TCPSocket(port: proxy.port)
        try socket.send("*2\r\n$9\r\nSUBSC")
        _ = Waiting.until(within: 0.02) { false }
        try socket.send("RIBE\r\n$4\r\nnews\r\n")
        _ = try socket.receive(until: ":1\r\n")
        return socket
    }

    /// Nothing came in a second.
    private static func isSilent(_ socket: TCPSocket) -> Bool {
        socket.setTimeout(seconds: 1)
        defer { socket.setTimeout(seconds: 10) }
        do {
            _ = try socket.receive()
            return false
        } catch let failure as TCPSocket.Failure {
            return failure.isTimeout
        } catch {
            return false
        }
    }

    private static func isReset(_ socket: TCPSocket) -> Bool {
        do {
            _ = try socket.receive()
            return false
        } catch let failure as TCPSocket.Failure {
            return failure.isReset
        } catch {
            return false
        }
    }

    @Test("passes on, counts, and tells subscribers from others, also where the word comes in two parts")
    func kinds() async throws {
        try await Self.run { redis, proxy in
            let data = try TCPSocket(port: proxy.port)
            try #expect(Self.send(data) == "+PONG\r\n")
            let subscriber = try Self.subscriber(proxy)
            try #expect(proxy.accepted.map(\.kind) == [.data, .subscriber])
            try #expect(proxy.openCount() == 2 && proxy.openCount(.subscribers) == 1)
            try redis.command("PUBLISH", "news", "today")
            try #expect(subscriber.receive(until: "today\r\n").contains("message"))
            try #expect(proxy.busiestSecond(since: .now - .seconds(10)) == 2)
            try #expect(proxy.busiestSecond(since: .now) == 0)
            data.close()
            try #expect(Waiting.until(within: 5) { try proxy.openCount() == 1 })
            try #expect(Waiting.until(within: 5) { try redis.command("CLIENT", "LIST").contains("cmd=ping") == false })
        }
    }

    @Test("a delay is added to what it is set for, and to nothing else; the order stays")
    func delays() async throws {
        try await Self.run { redis, proxy in
            let data = try TCPSocket(port: proxy.port)
            let subscriber = try Self.subscriber(proxy)
            try proxy.set(.delay(milliseconds: 150, .both), on: .data)
            let begin = ContinuousClock.now
            try #expect(Self.send(data) == "+PONG\r\n")
            #expect(ContinuousClock.now - begin >= .milliseconds(300))
            try proxy.set(.delay(milliseconds: 300, .toClient), on: .subscribers)
            let published = ContinuousClock.now
            try redis.command("PUBLISH", "news", "first")
            // It waits still when this is said.
            _ = Waiting.until(within: 0.05) { false }
            try proxy.set(.none, on: .subscribers)
            try redis.command("PUBLISH", "news", "second")
            let text = try subscriber.receive(until: "second\r\n")
            #expect(text.contains("first") && ContinuousClock.now - published >= .milliseconds(300))
        }
    }

    @Test("a stall keeps everything, in order, and holds little of it")
    func stalls() async throws {
        try await Self.run { redis, proxy in
            try redis.command("SET", "large", String(repeating: "x", count: 100_000))
            let data = try TCPSocket(port: proxy.port)
            try #expect(Self.send(data) == "+PONG\r\n")
            // 40 MB of answers: the proxy takes about one, and the kernel a few.
            let ending = "$3\r\nend\r\n"
            try data.send(String(repeating: "GET large\r\n", count: 400) + "ECHO end\r\n")
            try #expect(Waiting.until(within: 5) { try proxy.heldByteCount >= 1 << 20 })
            try proxy.set(.stall)
            let other = try TCPSocket(port: proxy.port)
            try other.send("PING\r\n")
            #expect(Self.isSilent(other))
            let held = try proxy.heldByteCount
            #expect(held <= 3 << 20, "\(held) bytes are held")
            try proxy.set(.none)
            try #expect(other.receive(until: "\r\n") == "+PONG\r\n")
            let expected = 400 * (100_000 + "$100000\r\n\r\n".utf8.count) + ending.utf8.count
            var (count, last) = (0, [UInt8]())
            while count < expected {
                let piece = try data.receive()
                guard !piece.isEmpty else { break }
                count += piece.count
                last = Array((last + piece).suffix(ending.utf8.count))
            }
            #expect(count == expected && last == Array(ending.utf8))
            try #expect(proxy.heldByteCount == 0)
        }
    }

    @Test("half-open: silent for ever, both ends open; a new connection is well once it is healed")
    func halfOpen() async throws {
        try await Self.run { redis, proxy in
            let (one, other) = (try TCPSocket(port: proxy.port), try TCPSocket(port: proxy.port))
            try #expect(Self.send(one) == "+PONG\r\n")
            try #expect(Self.send(other) == "+PONG\r\n")
            try proxy.set(.halfOpen, on: .oneData)
            try one.send("PING\r\n")
            #expect(Self.isSilent(one))
            try #expect(Self.send(other) == "+PONG\r\n")
            try proxy.set(.halfOpen)
            redis.kill()
            #expect(Self.isSilent(other))
            try redis.start()
            try proxy.heal()
            try other.send("PING\r\n")
            #expect(Self.isSilent(other))
            try #expect(proxy.openCount() == 2)
            try #expect(Self.send(TCPSocket(port: proxy.port)) == "+PONG\r\n")
        }
    }

    @Test("a reset is one, a close is one, and only of those chosen")
    func ends() async throws {
        try await Self.run { redis, proxy in
            let (one, other) = (try TCPSocket(port: proxy.port), try TCPSocket(port: proxy.port))
            try #expect(Self.send(one) == "+PONG\r\n")
            try #expect(Self.send(other) == "+PONG\r\n")
            let subscriber = try Self.subscriber(proxy)
            try proxy.reset(.oneData)
            #expect(Self.isReset(one))
            try #expect(Self.send(other) == "+PONG\r\n")
            try proxy.close(.subscribers)
            try #expect(subscriber.receive().isEmpty)
            try #expect(Self.send(other) == "+PONG\r\n")
            // Redis goes: that is passed on.
            redis.kill()
            try #expect(other.receive().isEmpty)
        }
    }

    @Test("newcomers are refused, reset, never answered, or reset once they subscribe; others live on")
    func newcomers() async throws {
        try await Self.run { _, proxy in
            let known = try TCPSocket(port: proxy.port)
            try #expect(Self.send(known) == "+PONG\r\n")
            try proxy.receive(.refused)
            let refusal = #expect(throws: TCPSocket.Failure.self) { try TCPSocket(port: proxy.port) }
            #expect(refusal?.isRefusal == true)
            try proxy.receive(.reset)
            try #expect(Self.isReset(TCPSocket(port: proxy.port)))
            try proxy.receive(.blackholed)
            let lost = try TCPSocket(port: proxy.port)
            try lost.send("PING\r\n")
            #expect(Self.isSilent(lost))
            try proxy.receive(.subscribersReset)
            let hopeful = try TCPSocket(port: proxy.port)
            try #expect(Self.send(hopeful) == "+PONG\r\n")
            try hopeful.send("*2\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n")
            #expect(Self.isReset(hopeful))
            try #expect(Self.send(known) == "+PONG\r\n")
            try #expect(proxy.accepted.map(\.kind) == [.data, .data, .data, .subscriber])
            try proxy.heal()
            try #expect(Self.send(TCPSocket(port: proxy.port)) == "+PONG\r\n")
        }
    }
}
