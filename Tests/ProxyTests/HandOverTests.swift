import Affinity
import HTTPWire
import NIOCore
import NIOEmbedded
import Store
import Testing

@testable import Proxy

@Suite("Connections that are handed over to another protocol")
struct HandOverTests {
    private final class Receiver: UpstreamReceiver {
        var told: [String] = []
        func receivedInterim(_ response: ResponseView) { told.append("interim") }
        func receivedHead(_ response: ResponseView) -> Bool {
            told.append("head")
            return true
        }
        func switchedProtocols(to protocols: UpgradeProtocols) { told.append("switched") }
        func received(_ part: consuming BodyPart) { told.append("part") }
        func upstreamFailed(_ failure: UpstreamFailure) { told.append("\(failure)") }
        func upstreamWritabilityChanged() {}
        func upstreamTimedOut() {}
    }

    private static func backend() throws -> (EmbeddedChannel, HTTP1BackendConnection, LoopContext) {
        let channel = EmbeddedChannel()
        let loop = LoopOfItsOwn.context(on: channel.embeddedEventLoop)
        let pool = BackendPool(
            backend: Backend(name: "b", host: "127.0.0.1", port: 1), hash: BackendHash(bits: 1), state: BackendState(),
            limits: ServiceLimits(), loop: loop)
        let connection = HTTP1BackendConnection(loop: loop, pool: pool)
        try channel.pipeline.syncOperations.addHandler(connection)
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        return (channel, connection, loop)
    }

    @Test(
        "A backend's connection is left with what was sent and what nobody has read; its exchange hears no more of it")
    func backendSide() throws {
        let (channel, connection, loop) = try Self.backend()
        let receiver = Receiver()
        let place = Upstream.http1(connection)
        place.send(
            ByteBuffer(string: "GET / HTTP/1.1\r\n\r\n"), method: .get, framing: .none, offering: .init(), for: receiver
        )
        // A head that has only half come is nobody's yet.
        try channel.writeInbound(ByteBuffer(string: "HTTP/1.1 101"))
        guard case .connection(let handed) = try #require(place.handOver()) else {
            return #expect(Bool(false), "it is a connection")
        }
        #expect(String(buffer: handed.unread) == "HTTP/1.1 101")
        #expect(handed.channel === channel && channel.isActive)
        let sent = try channel.readOutbound(as: ByteBuffer.self)
        #expect(sent.map { String(buffer: $0) } == "GET / HTTP/1.1\r\n\r\n")
        #expect(loop.counters.backendConnections == 0)
        try channel.writeInbound(ByteBuffer(string: "raw"))
        #expect(try channel.readInbound(as: ByteBuffer.self).map { String(buffer: $0) } == "raw")
        try channel.close().wait()
        #expect(receiver.told.isEmpty && loop.counters.backendConnections == 0)
        #expect(place.handOver() == nil)
    }

    @Test("A connection that has closed is handed to nobody")
    func closed() throws {
        let (channel, connection, loop) = try Self.backend()
        let receiver = Receiver()
        let place = Upstream.http1(connection)
        place.send(ByteBuffer(string: "x"), method: .get, framing: .none, offering: .init(), for: receiver)
        try channel.close().wait()
        #expect(place.handOver() == nil && loop.counters.backendConnections == 0 && receiver.told.count == 1)
    }

    @Test("A client's connection is left with what came behind its request")
    func clientSide() throws {
        let channel = EmbeddedChannel()
        let loop = LoopOfItsOwn.context(on: channel.embeddedEventLoop)
        let options = ProxyHarness.Options()
        let snapshot = try Described(backends: [.init("b", 1)]).snapshot(options, succeeding: [])
        let worker = Worker(
            loop: loop, snapshot: snapshot, store: HeldStore(channel.embeddedEventLoop),
            cache: BindingCache(entries: 100), coherence: .alone())
        let connection = HTTP1ClientConnection(worker: worker, entryPoint: EntryPoint(name: "web", index: 0))
        try channel.pipeline.syncOperations.addHandler(connection)
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        #expect(worker.openClients == 1 && Downstream.http1(connection).handOver() == nil)
        // The store is being asked for its session.
        try channel.writeInbound(ByteBuffer(string: "GET / HTTP/1.1\r\nHost: h\r\nX-Session-ID: s\r\n\r\nframe"))
        guard case .connection(let handed) = try #require(Downstream.http1(connection).handOver()) else {
            return #expect(Bool(false), "it is a connection")
        }
        #expect(String(buffer: handed.unread) == "frame" && handed.channel === channel)
        #expect(worker.openClients == 0 && channel.isActive)
        try channel.writeInbound(ByteBuffer(string: "raw"))
        #expect(try channel.readInbound(as: ByteBuffer.self).map { String(buffer: $0) } == "raw")
    }
}
