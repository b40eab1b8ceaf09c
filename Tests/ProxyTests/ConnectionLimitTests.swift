import NIOCore
import NIOEmbedded
import Testing

@testable import Proxy

@Suite("Connections are accepted while there is room")
struct ConnectionLimitTests {
    /// Sees which reads reach the listening socket.
    private final class ReadCounter: ChannelOutboundHandler {
        typealias OutboundIn = Never
        private(set) var count = 0

        func read(context: ChannelHandlerContext) {
            count += 1
            context.read()
        }
    }

    /// A listening socket that a test accepts for.
    private struct Socket {
        let gate: ConnectionLimit
        let channel: EmbeddedChannel
        let reads = ReadCounter()

        init(limit: Int) throws {
            gate = ConnectionLimit(limit: limit)
            channel = EmbeddedChannel(handlers: [reads, AcceptHandler(gate: gate)])
            try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        }

        func accept() throws -> EmbeddedChannel {
            let child = EmbeddedChannel()
            try channel.writeInbound(child as any Channel)
            return child
        }

        /// What was said last; nil: nothing.
        var readsByItself: Bool? {
            channel.options.last { $0.option is ChannelOptions.Types.AutoReadOption }?.value as? Bool
        }

        func passTime(_ milliseconds: Int64) { channel.embeddedEventLoop.advanceTime(by: .milliseconds(milliseconds)) }
    }

    @Test("and counted from their acceptance to their end, each once")
    func counting() throws {
        let socket = try Socket(limit: 2)
        let children = try (0..<3).map { _ in try socket.accept() }
        #expect(socket.gate.count == 3 && !socket.gate.hasRoom, "a batch may pass the limit")
        _ = try children[0].finish()
        #expect(socket.gate.count == 2 && !socket.gate.hasRoom)
        _ = try children[1].finish()
        #expect(socket.gate.count == 1 && socket.gate.hasRoom)
        _ = try children[2].finish()
        #expect(socket.gate.count == 0)
    }

    @Test("and passed on to whoever serves them")
    func passedOn() throws {
        let socket = try Socket(limit: 1)
        let child = try socket.accept()
        let served = try socket.channel.readInbound(as: (any Channel).self)
        #expect(served === child)
    }

    @Test("the socket is read while there is room; without it reading ends, and goes on soon after there is some")
    func full() throws {
        let socket = try Socket(limit: 1)
        socket.channel.read()
        #expect(socket.reads.count == 1 && socket.readsByItself == nil)
        let child = try socket.accept()
        socket.channel.read()
        #expect(socket.reads.count == 1 && socket.readsByItself == false)
        socket.passTime(1000)
        #expect(socket.readsByItself == false, "there is no room yet")
        _ = try child.finish()
        socket.passTime(100)
        #expect(socket.readsByItself == true)
        socket.channel.read()
        #expect(socket.reads.count == 2)
    }

    @Test("the count is that of all sockets of a replica")
    func shared() throws {
        let one = try Socket(limit: 1)
        let other = EmbeddedChannel(handlers: [AcceptHandler(gate: one.gate)])
        try other.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        try other.writeInbound(EmbeddedChannel() as any Channel)
        one.channel.read()
        #expect(one.reads.count == 0 && one.readsByItself == false)
    }

    @Test("after an error, as where no descriptors are left, reading pauses, and is tried again")
    func errors() throws {
        let socket = try Socket(limit: 10)
        for _ in 0..<3 {
            socket.channel.pipeline.fireErrorCaught(IOError(errnoCode: 24, reason: "accept"))
            #expect(socket.readsByItself == false)
            socket.passTime(99)
            #expect(socket.readsByItself == false)
            socket.passTime(1)
            #expect(socket.readsByItself == true)
        }
    }

    @Test("a socket that was closed meanwhile is not read again")
    func closed() throws {
        let socket = try Socket(limit: 10)
        socket.channel.pipeline.fireErrorCaught(IOError(errnoCode: 24, reason: "accept"))
        try socket.channel.close().wait()
        socket.passTime(1000)
        #expect(socket.readsByItself == false)
    }
}
