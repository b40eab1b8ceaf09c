import NIOCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// Writes the bytes of one connection, in order. A plain TCP connection's bytes go to its socket at once, as long as
/// its channel holds no unfinished write. What the socket does not take, and every other connection's bytes, go through
/// the channel.
///
/// The descriptor belongs to the channel, and the kernel gives its number to another connection as soon as the channel
/// has closed it. So it is forgotten before: in ``close(_:_:)``, and by ``forget()`` at the start of `channelInactive`
/// and `errorCaught`, where the channel closes by itself. Between its closing and those events a channel only fails the
/// promises of unfinished writes, and as long as there is such a write nothing is sent to the socket.
///
/// Confined to the channel's event loop.
final class SocketWriter {
    /// Nil if everything goes through the channel.
    private var descriptor: NIOBSDSocket.Handle?
    /// Writes of the channel that have neither completed nor failed.
    private var unfinished = 0

    /// Must be called only if no handler of the pipeline changes the bytes on their way, as one for TLS does.
    func useSocket(of context: ChannelHandlerContext) {
        descriptor = try? context.pipeline.syncOperations.withUnsafeTransportIfAvailable(
            of: NIOBSDSocket.Handle.self
        ) { $0 }
    }

    func forget() { descriptor = nil }

    /// Whether the next bytes go to the socket.
    var sendsToSocket: Bool { descriptor != nil && unfinished == 0 }

    /// All ways in which a connection closes its own channel lead through here.
    func close(_ context: ChannelHandlerContext, _ mode: CloseMode = .all) {
        forget()
        context.close(mode: mode, promise: nil)
    }

    /// Sends the bytes after everything that was written before.
    func send(_ bytes: ByteBuffer, _ context: ChannelHandlerContext) {
        let sent = sendToSocket(bytes)
        guard sent < bytes.readableBytes else { return }
        enqueue(bytes.getSlice(at: bytes.readerIndex + sent, length: bytes.readableBytes - sent) ?? bytes, context)
        context.flush()
    }

    /// Writes the bytes without sending them; they leave with the next ``flush(_:)`` or ``send(_:_:)``.
    func enqueue(_ bytes: ByteBuffer, _ context: ChannelHandlerContext) {
        guard descriptor != nil else { return context.write(NIOAny(bytes), promise: nil) }
        let promise = context.eventLoop.makePromise(of: Void.self)
        unfinished += 1
        promise.futureResult.assumeIsolated().whenComplete { [self] result in
            unfinished -= 1
            if case .failure = result { forget() }
        }
        context.write(NIOAny(bytes), promise: promise)
    }

    /// Calls `body` once everything that was written has been sent, or has failed.
    ///
    /// A channel whose input has ended closes together with its output, so the output must not be closed before.
    func afterWrites(_ context: ChannelHandlerContext, _ body: @escaping () -> Void) {
        let promise = context.eventLoop.makePromise(of: Void.self)
        promise.futureResult.assumeIsolated().whenComplete { _ in body() }
        // An empty write, queued after everything else.
        context.writeAndFlush(NIOAny(ByteBuffer()), promise: promise)
    }

    func flush(_ context: ChannelHandlerContext) {
        if descriptor == nil || unfinished > 0 { context.flush() }
    }

    /// Returns how many bytes the socket has taken. What it refuses for now, and every error, is left to the channel,
    /// which meets it again.
    private func sendToSocket(_ bytes: ByteBuffer) -> Int {
        guard sendsToSocket, let descriptor else { return 0 }
        return bytes.withUnsafeReadableBytes { bytes in
            max(0, Self.sendNow(descriptor, bytes))
        }
    }

    private static func sendNow(_ descriptor: NIOBSDSocket.Handle, _ bytes: UnsafeRawBufferPointer) -> Int {
        #if canImport(Glibc)
        Glibc.send(descriptor, bytes.baseAddress, bytes.count, CInt(MSG_DONTWAIT) | CInt(MSG_NOSIGNAL))
        #elseif canImport(Musl)
        Musl.send(descriptor, bytes.baseAddress, bytes.count, CInt(MSG_DONTWAIT) | CInt(MSG_NOSIGNAL))
        #else
        // NIO has set SO_NOSIGPIPE.
        Darwin.send(descriptor, bytes.baseAddress, bytes.count, MSG_DONTWAIT)
        #endif
    }
}

@available(*, unavailable)
extension SocketWriter: Sendable {}
