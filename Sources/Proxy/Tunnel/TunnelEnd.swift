import NIOCore

/// One end of a tunnel: its ``Tunnel`` passes its bytes to the other end as they arrive. It reads no faster than the
/// other end takes them.
protocol TunnelEnd: AnyObject {
    var side: Tunnel.Side { get }
    /// Whether more can be sent without queueing it in memory.
    var isWritable: Bool { get }

    /// Begins to read.
    func read()
    func pauseReading()
    func resumeReading()
    func send(_ bytes: ByteBuffer)

    /// Closes the output after everything that was sent. The input stays open.
    func closeOutput()

    /// Closes at once.
    func close()
}

/// What becomes an end of a tunnel.
enum TunnelOrigin {
    case connection(DetachedConnection)
    case clientStream(HTTP2ClientStream)
    case backendStream(HTTP2BackendStream)

    /// Bytes that were received but not processed: the first bytes of the other protocol.
    var unread: ByteBuffer {
        switch self {
        case .connection(let connection): connection.unread
        case .clientStream(let stream): stream.takeUnread()
        // It delivers them itself.
        case .backendStream: ByteBuffer()
        }
    }

    /// The peer sends nothing more, and nothing is left to deliver.
    var inputIsClosed: Bool {
        switch self {
        case .connection(let connection): connection.inputIsClosed
        case .clientStream(let stream): stream.inputIsClosed
        case .backendStream: false
        }
    }

    var isActive: Bool {
        switch self {
        case .connection(let connection): connection.channel.isActive
        case .clientStream(let stream): stream.isOpen
        case .backendStream(let stream): stream.isOpen
        }
    }

    func close() {
        switch self {
        case .connection(let connection): connection.channel.close(promise: nil)
        case .clientStream(let stream): stream.close()
        case .backendStream(let stream): stream.close()
        }
    }

    /// - Throws: if it has closed in this turn of the loop.
    func makeEnd(_ side: Tunnel.Side, of tunnel: Tunnel, on loop: LoopContext) throws -> any TunnelEnd {
        switch self {
        case .connection(let connection):
            let end = ConnectionTunnelEnd(side, of: connection, tunnel: tunnel, loop: loop)
            try connection.become(end)
            return end
        case .clientStream(let stream):
            stream.become(tunnel)
            return stream
        case .backendStream(let stream):
            stream.become(tunnel)
            return stream
        }
    }

    /// Whether it is a connection of its own, which no pool counts any more.
    var isConnection: Bool {
        if case .connection = self { true } else { false }
    }
}
