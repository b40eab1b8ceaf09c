import LimpetTestKit
import NIOCore
import NIOPosix
import Networking
import Synchronization
import Testing

#if canImport(Glibc)
import Glibc
#endif

/// A resolver of the system as a test wants it: `getaddrinfo` cannot be made to hang everywhere.
private final class ScriptedNames: Sendable {
    private struct State {
        var answers: [String: NameTable.Answer] = [:]
        var hanging: Set<String> = []
        var lookups: [String: Int] = [:]
        var isOver = false
    }

    private let state = Mutex(State())

    func set(_ name: String, _ addresses: [String]) {
        let answer = NameTable.Answer.success(addresses.compactMap { try? SocketAddress(ipAddress: $0, port: 0) })
        state.withLock { $0.answers[name] = answer }
    }

    func set(_ name: String, _ error: NameError) { state.withLock { $0.answers[name] = .failure(error) } }

    /// The look-up takes until `end`.
    func hang(_ name: String) { state.withLock { _ = $0.hanging.insert(name) } }

    func end() { state.withLock { $0.isOver = true } }

    func lookups(of name: String) -> Int { state.withLock { $0.lookups[name] ?? 0 } }

    @Sendable
    func lookUp(_ name: String) -> NameTable.Answer {
        state.withLock { $0.lookups[name, default: 0] += 1 }
        while state.withLock({ $0.hanging.contains(name) && !$0.isOver }) { usleep(1000) }
        return state.withLock { $0.answers[name] } ?? .failure(.noAddress)
    }
}

@Suite("Connections by name")
struct NameResolverTests {
    private let names = ScriptedNames()
    private let loop = MultiThreadedEventLoopGroup.singleton.next()

    private func connect(
        _ resolver: NameResolver, _ host: String, _ port: Int, within time: TimeAmount = .seconds(1)
    ) -> EventLoopFuture<any Channel> {
        ClientBootstrap(group: loop).connectTimeout(time).connect(host: host, port: port, on: loop, by: resolver)
    }

    /// The address that a connection leads to.
    private func reached(
        _ resolver: NameResolver, _ host: String, _ port: Int, within time: TimeAmount = .seconds(1)
    ) async throws -> String? {
        let channel = try await connect(resolver, host, port, within: time).get()
        defer { channel.close(promise: nil) }
        return channel.remoteAddress?.ipAddress
    }

    private func listener(host: UInt8 = 1, port: Int = 0) throws -> ScriptedBackend {
        try ScriptedBackend(port: port, host: host) { connection, _ in _ = try connection.receive() }
    }

    @Test("an address is connected to without a look-up")
    func literal() async throws {
        let server = try listener()
        defer { server.close() }
        let resolver = NameResolver(lookUp: names.lookUp)
        try await #expect(reached(resolver, "127.0.0.1", server.port) == "127.0.0.1")
        #expect(names.lookups(of: "127.0.0.1") == 0)
    }

    @Test("names that hang, more than may be looked up at once, hold up no other, and whoever waits gives up in time")
    func hanging() async throws {
        let server = try listener()
        defer { server.close() }
        defer { names.end() }
        names.set("known", ["127.0.0.1"])
        let resolver = NameResolver(lookUp: names.lookUp)
        try await #expect(reached(resolver, "known", server.port) == "127.0.0.1")
        let hanging = (0..<NameTable.lookups + 4).map { "hanging\($0)" }
        hanging.forEach(names.hang)
        names.hang("known")
        let waiting = hanging.map { connect(resolver, $0, server.port, within: .milliseconds(300)) }
        for connection in waiting {
            let error = await #expect(throws: ChannelError.self) { _ = try await connection.get() }
            #expect(error == .connectTimeout(.milliseconds(300)))
        }
        // Its last answer is not fresh any more.
        try await Task.sleep(for: .milliseconds(1100))
        let start = ContinuousClock.now
        for _ in 0..<2 {
            try await #expect(reached(resolver, "known", server.port, within: .seconds(10)) == "127.0.0.1")
        }
        #expect(ContinuousClock.now - start < .seconds(3))
        #expect(hanging.map(names.lookups).reduce(0, +) == NameTable.lookups, "one look-up for each, and 16 at once")
    }

    @Test("connections that are made at once share one look-up")
    func shared() async throws {
        let server = try listener()
        defer { server.close() }
        names.set("name", ["127.0.0.1"])
        names.hang("name")
        let resolver = NameResolver(lookUp: names.lookUp)
        let connections = (0..<50).map { _ in connect(resolver, "name", server.port) }
        names.end()
        for connection in connections { try await connection.get().close(promise: nil) }
        #expect(names.lookups(of: "name") == 1)
    }

    @Test("every address of a name is tried, in its order: the next at once after a refusal, after 250 ms of silence")
    func addresses() async throws {
        let server = try listener(host: 9)
        defer { server.close() }
        let resolver = NameResolver(lookUp: names.lookUp)
        names.set("refused", ["127.0.0.2", "::1", "127.0.0.3", "127.0.0.4", "127.0.0.5", "127.0.0.9"])
        try await #expect(reached(resolver, "refused", server.port) == "127.0.0.9")
        let first = try listener(host: 8, port: server.port)
        defer { first.close() }
        names.set("both", ["127.0.0.8", "127.0.0.9"])
        try await #expect(reached(resolver, "both", server.port) == "127.0.0.8")
        let full = try FullListener()
        defer { withExtendedLifetime(full) {} }
        let other = try listener(host: 7, port: full.port)
        defer { other.close() }
        names.set("silent", ["127.0.0.1", "127.0.0.7"])
        let start = ContinuousClock.now
        try await #expect(reached(resolver, "silent", full.port, within: .seconds(10)) == "127.0.0.7")
        #expect(ContinuousClock.now - start < .seconds(3))
    }

    @Test("a connection says why a name leads nowhere", arguments: [NameError.noAddress, .lookupFailed("no answer")])
    func reasons(_ error: NameError) async throws {
        names.set("name", error)
        let resolver = NameResolver(lookUp: names.lookUp)
        let failure = await #expect(throws: NIOConnectionError.self) { try await reached(resolver, "name", 1) }
        #expect(failure?.nameError == error)
    }

    @Test("a name that is waited for without a deadline is given up when the task is cancelled")
    func cancelled() async throws {
        defer { names.end() }
        names.hang("name")
        let resolver = NameResolver(lookUp: names.lookUp)
        let task = Task { try await resolver.addresses(of: "name") }
        let isLookedUp = try await Threads.run { Waiting.until(within: 5) { names.lookups(of: "name") == 1 } }
        #expect(isLookedUp)
        task.cancel()
        await #expect(throws: CancellationError.self) { _ = try await task.value }
    }
}

@Suite("Names as the system knows them")
struct SystemNamesTests {
    @Test("localhost is the loopback; a name that cannot be is none")
    func system() throws {
        let addresses = try SystemNames.addresses(of: "localhost").get()
        #expect(!addresses.isEmpty)
        #expect(addresses.allSatisfy { ["127.0.0.1", "::1"].contains($0.ipAddress) && $0.port == 0 })
        guard case .failure = SystemNames.addresses(of: "a..b") else {
            Issue.record("a..b has an address")
            return
        }
    }
}
