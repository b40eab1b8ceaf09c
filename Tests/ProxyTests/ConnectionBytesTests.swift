import Logging
import NIOCore
import NIOEmbedded
import Testing

@testable import Proxy

/// A channel whose handler's context a test uses.
private final class Bench {
    final class Handler: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        var context: ChannelHandlerContext?

        func handlerAdded(context: ChannelHandlerContext) { self.context = context }
    }

    final class ReadCounter: ChannelOutboundHandler {
        typealias OutboundIn = ByteBuffer
        var reads = 0

        func read(context: ChannelHandlerContext) { reads += 1 }
    }

    let channel = EmbeddedChannel()
    let context: ChannelHandlerContext
    let loop: LoopContext
    private let counter = ReadCounter()

    init() throws {
        let handler = Handler()
        try channel.pipeline.syncOperations.addHandler(counter)
        try channel.pipeline.syncOperations.addHandler(handler)
        context = try #require(handler.context)
        loop = LoopContext(
            eventLoop: channel.embeddedEventLoop, entryPoints: 1, limits: ProxyLimits(), replicaName: "r1",
            exchangeLog: nil, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    /// What has left, write by write.
    func sent() throws -> [String] {
        var sent: [String] = []
        while let buffer = try channel.readOutbound(as: ByteBuffer.self) { sent.append(String(buffer: buffer)) }
        return sent
    }

    /// How many reads the channel was asked for.
    var reads: Int { counter.reads }
}

@Suite("What goes out over a connection")
struct ConnectionOutputTests {
    @Test("of a head and small pieces of a body leaves together, and not before it is flushed")
    func gathered() throws {
        let bench = try Bench()
        var output = ConnectionOutput(SocketWriter())
        output.writeHead(bench.loop) { $0.writeString("head ") }
        output.write(ByteBuffer(string: "one "), bench.context, bench.loop)
        output.write(ByteBuffer(), bench.context, bench.loop)
        output.write(ByteBuffer(string: "two"), bench.context, bench.loop)
        bench.context.flush()
        try #expect(bench.sent() == [])
        output.flush(bench.context, bench.loop)
        try #expect(bench.sent() == ["head one two"])
        output.flush(bench.context, bench.loop)
        try #expect(bench.sent() == [], "it leaves once")
    }

    @Test("of a large piece leaves as the buffer that it is, behind what was gathered", arguments: [false, true])
    func large(isChunked: Bool) throws {
        let bench = try Bench()
        var output = ConnectionOutput(SocketWriter())
        output.coding = isChunked ? .chunked : .plain
        for (count, isOwn) in [(ConnectionOutput.gatheredMax, false), (ConnectionOutput.gatheredMax + 1, true)] {
            let piece = ByteBuffer(string: String(repeating: "x", count: count))
            output.writeHead(bench.loop) { $0.writeString("head ") }
            output.write(piece, bench.context, bench.loop)
            output.writeEnd(trailers: [], bench.loop)
            output.flush(bench.context, bench.loop)
            let size = isChunked ? String(count, radix: 16) + "\r\n" : ""
            let end = isChunked ? "\r\n0\r\n\r\n" : ""
            let sent = try bench.sent()
            #expect(sent.joined() == "head " + size + String(buffer: piece) + end)
            #expect(sent.contains(String(buffer: piece)) == isOwn)
        }
    }

    @Test("in chunks is framed, trailers behind the last; a body of known length has no place for them")
    func coding() throws {
        let bench = try Bench()
        var output = ConnectionOutput(SocketWriter())
        for (coding, sent) in [
            (ConnectionOutput.Coding.chunked, "5\r\nhello\r\n10\r\n0123456789abcdef\r\n0\r\nX-Sum: 1\r\n\r\n"),
            (.plain, "hello0123456789abcdef"),
        ] {
            output.coding = coding
            for piece in ["hello", "", "0123456789abcdef"] {
                output.write(ByteBuffer(string: piece), bench.context, bench.loop)
            }
            output.writeEnd(trailers: Array("X-Sum: 1\r\n".utf8), bench.loop)
            output.flush(bench.context, bench.loop)
            try #expect(bench.sent().joined() == sent)
        }
    }

    @Test("of a head that may be sent again is not written into, and comes behind what was gathered")
    func keptHead() throws {
        let bench = try Bench()
        var output = ConnectionOutput(SocketWriter())
        let head = ByteBuffer(string: "kept ")
        output.writeHead(bench.loop) { $0.writeString("before ") }
        output.send(head, bench.context, bench.loop)
        output.write(ByteBuffer(string: "body"), bench.context, bench.loop)
        output.flush(bench.context, bench.loop)
        try #expect(bench.sent() == ["before ", "kept ", "body"])
        #expect(String(buffer: head) == "kept ")
    }
}

@Suite("What came in over a connection")
struct ConnectionInputTests {
    @Test("and nobody could take is offered again, with what came since behind it")
    func held() {
        var input = ConnectionInput()
        var bytes = ByteBuffer(string: "new")
        #expect(input.joined(with: &bytes) == nil && bytes.readableBytes == 3)
        input.hold(ByteBuffer(string: "old "))
        let joined = input.joined(with: &bytes)
        #expect(joined.map { String(buffer: $0) } == "old new" && bytes.readableBytes == 0 && input.held == nil)
        input.hold(ByteBuffer())
        #expect(input.held == nil, "nothing is not held")
        input.hold(ByteBuffer(string: "x"))
        let taken = input.take()
        #expect(taken.map { String(buffer: $0) } == "x" && input.held == nil)
        input.hold(ByteBuffer(string: "x"))
        input.clear()
        #expect(input.take() == nil)
    }

    @Test("is read again after each read, until that is paused, and once more when it is resumed")
    func reading() throws {
        let bench = try Bench()
        var input = ConnectionInput()
        input.read(bench.context)
        #expect(bench.reads == 1)
        input.resume(bench.context)
        #expect(bench.reads == 1, "it was not paused")
        input.pause()
        input.read(bench.context)
        #expect(bench.reads == 1)
        input.resume(bench.context)
        #expect(bench.reads == 2)
        input.read(bench.context)
        #expect(bench.reads == 3)
    }
}
