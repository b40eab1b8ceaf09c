import NIOCore
package import TLS

/// How a backend is reached over TLS: the TLS keys of `serversTransport`. A value without anything of a TLS library.
package struct BackendTLSSettings: Equatable, Sendable {
    package var client = ClientTLSSettings()
    /// Whether HTTP/1.1 alone is offered to backends (RFC 7301).
    package var disablesHTTP2 = false

    package init() {}
}

/// TLS toward the backends of one transport. Equal settings are equal.
package final class BackendTLS: Sendable, Hashable {
    package let settings: BackendTLSSettings
    private let client: ClientTLS
    /// Offers HTTP/1.1 alone.
    private let http1Client: ClientTLS

    /// Reads the system's authorities, if none are configured: not for an event loop.
    ///
    /// - Throws: an error of the library, whose text is for people.
    package init(_ settings: BackendTLSSettings) throws {
        self.settings = settings
        http1Client = try ClientTLS(settings.client, protocols: ["http/1.1"])
        client =
            settings.disablesHTTP2 ? http1Client : try ClientTLS(settings.client, protocols: ["h2", "http/1.1"])
    }

    package static func == (left: BackendTLS, right: BackendTLS) -> Bool {
        left === right || left.settings == right.settings
    }

    package func hash(into hasher: inout Hasher) {
        hasher.combine(settings.client.serverName)
        hasher.combine(settings.client.isInsecure)
        hasher.combine(settings.client.authorities)
    }

    /// Makes a connection that has just been opened one with TLS. Must be called on its loop.
    ///
    /// - Parameters:
    ///   - host: the host of the backend's URL.
    ///   - buffers: where the buffers of reads are returned to.
    ///   - deadline: of the handshake.
    ///   - onlyHTTP1: HTTP/2 is not offered.
    /// - Returns: the channel once the backend is verified; ``BackendTLSError`` if it is not, and the channel closes.
    func begin(
        on channel: any Channel, host: String, buffers: ReceiveBuffers?, by deadline: NIODeadline, onlyHTTP1: Bool
    ) -> EventLoopFuture<BackendChannel> {
        if let buffers {
            do {
                try channel.pipeline.syncOperations.addHandler(ReadBufferReturn(buffers))
            } catch {
                channel.close(promise: nil)
                return channel.eventLoop.makeFailedFuture(BackendTLSError(.library("\(error)")))
            }
        }
        return (onlyHTTP1 ? http1Client : client).begin(on: channel, host: host, by: deadline)
            .map { BackendChannel(channel: channel, isHTTP2: $0 == "h2") }
            .flatMapErrorThrowing { error in
                throw (error as? ClientTLSError).map(BackendTLSError.init) ?? error
            }
    }
}

/// A connection to a backend that is ready for requests.
struct BackendChannel: Sendable {
    let channel: any Channel
    /// Both sides speak HTTP/2 on it.
    let isHTTP2: Bool
}

extension EventLoopFuture where Value == any Channel {
    /// The connection, with TLS if the backend is reached so, within `timeout` from now.
    ///
    /// - Parameter onlyHTTP1: HTTP/2 is not offered in the handshake.
    func securing(
        _ backend: Backend, on loop: LoopContext, within timeout: TimeAmount, onlyHTTP1: Bool = false
    ) -> EventLoopFuture<BackendChannel> {
        guard let tls = backend.tls else {
            let isHTTP2 = backend.isHTTP2
            return map { BackendChannel(channel: $0, isHTTP2: isHTTP2) }
        }
        let bound = NIOLoopBound(loop, eventLoop: loop.eventLoop)
        let deadline = NIODeadline.now() + timeout
        let host = backend.host
        return flatMap { channel in
            tls.begin(
                on: channel, host: host, buffers: bound.value.receiveBuffers, by: deadline, onlyHTTP1: onlyHTTP1)
        }
    }
}

/// Returns the buffers of each read to the event loop, in front of TLS: the library does not keep them.
private final class ReadBufferReturn: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let buffers: ReceiveBuffers

    init(_ buffers: ReceiveBuffers) { self.buffers = buffers }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        context.fireChannelRead(data)
        buffers.giveBack(bytes)
    }
}
