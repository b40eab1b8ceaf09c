package import NIOCore
import Synchronization

/// Counts the open client connections of a replica, across all listeners and event loops.
package final class ConnectionLimit: Sendable {
    private let open = Atomic<Int>(0)
    let limit: Int

    package init(limit: Int) {
        self.limit = limit
    }

    package var count: Int { open.load(ordering: .relaxed) }

    var hasRoom: Bool { count < limit }

    func opened() {
        open.add(1, ordering: .relaxed)
    }

    func closed() {
        open.subtract(1, ordering: .relaxed)
    }
}

/// Accepts connections while there is room; further ones wait in the kernel's queue. One batch of accepts may exceed
/// the limit. If accepting fails (no file descriptors left), it pauses: the socket would stay readable and the loop
/// would spin.
///
/// Add it to the channel of a listener before all other handlers.
package final class AcceptHandler: ChannelDuplexHandler {
    package typealias InboundIn = any Channel
    package typealias InboundOut = any Channel
    package typealias OutboundIn = Never
    package typealias OutboundOut = Never

    private static let pause = TimeAmount.milliseconds(100)

    private let gate: ConnectionLimit
    private var isPaused = false

    package init(gate: ConnectionLimit) {
        self.gate = gate
    }

    package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let gate = self.gate
        gate.opened()
        unwrapInboundIn(data).closeFuture.whenComplete { _ in gate.closed() }
        context.fireChannelRead(data)
    }

    package func read(context: ChannelHandlerContext) {
        if gate.hasRoom { context.read() } else { pause(context) }
    }

    package func errorCaught(context: ChannelHandlerContext, error: any Error) {
        pause(context)
    }

    /// Withholding `read` is not enough: after an error the channel still has an earlier read pending, and polls for
    /// it.
    private func pause(_ context: ChannelHandlerContext) {
        guard !isPaused else { return }
        isPaused = true
        try? context.channel.syncOptions?.setOption(.autoRead, value: false)
        resumeLater(context)
    }

    private func resumeLater(_ context: ChannelHandlerContext) {
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        context.eventLoop.scheduleTask(in: Self.pause) {
            let (handler, context) = bound.value
            handler.resume(context)
        }
    }

    private func resume(_ context: ChannelHandlerContext) {
        guard context.channel.isActive else { return }
        guard gate.hasRoom else { return resumeLater(context) }
        isPaused = false
        try? context.channel.syncOptions?.setOption(.autoRead, value: true)
    }
}

@available(*, unavailable)
extension AcceptHandler: Sendable {}
