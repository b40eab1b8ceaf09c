import NIOCore
import Synchronization

/// Counts the open client connections of a replica, over all listeners and loops.
package final class ConnectionGate: Sendable {
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

/// Accepts connections while there is room; further ones wait in the kernel's queue. One batch of accepts may pass the
/// limit. Where accepting fails (no file descriptors left) it pauses, because the socket would stay readable and spin.
final class AcceptHandler: ChannelDuplexHandler {
    typealias InboundIn = any Channel
    typealias InboundOut = any Channel
    typealias OutboundIn = Never
    typealias OutboundOut = Never

    private static let pause = TimeAmount.milliseconds(100)

    private let gate: ConnectionGate
    private var isPaused = false
    private var wantsRead = false

    init(gate: ConnectionGate) {
        self.gate = gate
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let gate = self.gate
        gate.opened()
        unwrapInboundIn(data).closeFuture.whenComplete { _ in gate.closed() }
        context.fireChannelRead(data)
    }

    func read(context: ChannelHandlerContext) {
        if isPaused { return wantsRead = true }
        guard gate.hasRoom else {
            wantsRead = true
            return wait(context)
        }
        context.read()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        wait(context)
    }

    private func wait(_ context: ChannelHandlerContext) {
        guard !isPaused else { return }
        isPaused = true
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        context.eventLoop.scheduleTask(in: Self.pause) {
            let (handler, context) = bound.value
            handler.isPaused = false
            if handler.wantsRead {
                handler.wantsRead = false
                handler.read(context: context)
            }
        }
    }
}

@available(*, unavailable)
extension AcceptHandler: Sendable {}
