import Affinity
import CLimpetTickets
package import NIOCore
import NIOSSL

/// How a backend is reached over TLS: the TLS keys of `serversTransport`. A value without anything of a TLS library.
package struct BackendTLSSettings: Equatable, Sendable {
    /// The name that is asked for and that the certificate must cover; nil: the host of the backend's URL.
    package var serverName: String?
    /// The certificate is not verified.
    package var isInsecure = false
    /// The DER form of the authorities that vouch for a backend; nil: those of the system.
    package var authorities: [[UInt8]]?
    /// The certificate that the backend may ask for.
    package var certificate: ServerCertificate?
    /// A URI that must be among the alternative names of the backend's certificate.
    package var peerURI: String?
    /// Whether HTTP/1.1 alone is offered to backends (RFC 7301).
    package var disablesHTTP2 = false

    package init() {}
}

/// TLS toward the backends of one transport. Equal settings are equal.
package final class BackendTLS: Sendable, Hashable {
    package let settings: BackendTLSSettings
    private let context: NIOSSLContext
    /// Offers HTTP/1.1 alone.
    private let http1Context: NIOSSLContext

    /// Reads the system's authorities, if none are configured: not for an event loop.
    ///
    /// - Throws: an error of the library, whose text is for people.
    package init(_ settings: BackendTLSSettings) throws {
        self.settings = settings
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.minimumTLSVersion = .tlsv12
        configuration.applicationProtocols = ["http/1.1"]
        configuration.shutdownTimeout = .seconds(1)
        configuration.renegotiationSupport = .none
        configuration.certificateVerification = settings.isInsecure ? .none : .fullVerification
        if let authorities = settings.authorities {
            configuration.trustRoots = .certificates(
                try authorities.map { try NIOSSLCertificate(bytes: $0, format: .der) })
        }
        if let certificate = settings.certificate {
            configuration.certificateChain = certificate.chain.map { .certificate($0) }
            configuration.privateKey = .privateKey(certificate.key)
        }
        http1Context = try NIOSSLContext(configuration: configuration)
        configuration.applicationProtocols = ["h2", "http/1.1"]
        context = settings.disablesHTTP2 ? http1Context : try NIOSSLContext(configuration: configuration)
        for context in [context, http1Context] { _ = limpet_handshake_note(context.library) }
    }

    package static func == (left: BackendTLS, right: BackendTLS) -> Bool {
        left === right || left.settings == right.settings
    }

    package func hash(into hasher: inout Hasher) {
        hasher.combine(settings.serverName)
        hasher.combine(settings.isInsecure)
        hasher.combine(settings.authorities)
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
        let promise = channel.eventLoop.makePromise(of: BackendChannel.self)
        // An address is not asked for by name (RFC 6066, section 3); the library verifies it as an address.
        let name = ServerName.normalized((settings.serverName ?? host).utf8)
        let handshake = BackendHandshake(
            promise, name: settings.isInsecure ? nil : name, peerURI: settings.peerURI)
        do {
            let handler = try NIOSSLClientHandler(
                context: onlyHTTP1 ? http1Context : context, serverHostname: name)
            if let buffers { try channel.pipeline.syncOperations.addHandler(ReadBufferReturn(buffers)) }
            try channel.pipeline.syncOperations.addHandlers([handler, handshake])
            handshake.begin(channel, by: deadline)
        } catch {
            promise.fail(BackendTLSError(.handshakeFailed, .handshakeFailed, "\(error)"))
            channel.close(promise: nil)
        }
        return promise.futureResult
    }
}

extension BackendTLS {
    /// Makes a connection that has just been opened one with TLS, for clients of HTTP/1.1 outside the data plane. Must
    /// be called on its loop.
    ///
    /// - Returns: the channel once the server is verified; ``BackendTLSError`` if it is not, and the channel closes.
    package func begin(
        on channel: any Channel, host: String, by deadline: NIODeadline
    ) -> EventLoopFuture<any Channel> {
        begin(on: channel, host: host, buffers: nil, by: deadline, onlyHTTP1: true).map(\.channel)
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
