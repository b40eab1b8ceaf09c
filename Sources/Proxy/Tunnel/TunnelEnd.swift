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
    case stream(HTTP2ClientStream)

    /// Bytes that were received but not processed: the first bytes of the other protocol.
    var unread: ByteBuffer {
        switch self {
        case .connection(let connection): connection.unread
        case .stream(let stream): stream.takeUnread()
        }
    }

    /// The peer sends nothing more.
    var inputIsClosed: Bool {
        switch self {
        case .connection(let connection): connection.inputIsClosed
        case .stream(let stream): stream.inputIsClosed
        }
    }

    var isActive: Bool {
        switch self {
        case .connection(let connection): connection.channel.isActive
        case .stream(let stream): stream.isOpen
        }
    }

    func close() {
        switch self {
        case .connection(let connection): connection.channel.close(promise: nil)
        case .stream(let stream): stream.close()
        }
    }

    /// - Throws: if it has closed in this turn of the loop.
    func makeEnd(_ side: Tunnel.Side, of tunnel: Tunnel, on loop: LoopContext) throws -> any TunnelEnd {
        switch self {
        case .connection(let connection):
            let end = ConnectionTunnelEnd(side, of: connection, tunnel: tunnel, loop: loop)
            try connection.become(end)
            return end
        case .stream(let stream):
            stream.become(tunnel)
            return stream
        }
    }
}
