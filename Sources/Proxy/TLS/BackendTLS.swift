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

    package init() {}
}

/// TLS toward the backends of one transport. Equal settings are equal.
package final class BackendTLS: Sendable, Hashable {
    package let settings: BackendTLSSettings
    private let context: NIOSSLContext

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
        context = try NIOSSLContext(configuration: configuration)
        _ = limpet_handshake_note(context.library)
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
    /// - Returns: the channel once the backend is verified; ``BackendTLSError`` if it is not, and the channel closes.
    func begin(
        on channel: any Channel, host: String, buffers: ReceiveBuffers?, by deadline: NIODeadline
    ) -> EventLoopFuture<any Channel> {
        let promise = channel.eventLoop.makePromise(of: (any Channel).self)
        // An address is not asked for by name (RFC 6066, section 3); the library verifies it as an address.
        let name = ServerName.normalized((settings.serverName ?? host).utf8)
        let handshake = BackendHandshake(
            promise, name: settings.isInsecure ? nil : name, peerURI: settings.peerURI)
        do {
            let handler = try NIOSSLClientHandler(context: context, serverHostname: name)
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
    /// Makes a connection that has just been opened one with TLS, for clients outside the data plane. Must be called on
    /// its loop.
    ///
    /// - Returns: the channel once the server is verified; ``BackendTLSError`` if it is not, and the channel closes.
    package func begin(
        on channel: any Channel, host: String, by deadline: NIODeadline
    ) -> EventLoopFuture<any Channel> {
        begin(on: channel, host: host, buffers: nil, by: deadline)
    }
}

extension EventLoopFuture where Value == any Channel {
    /// The connection, with TLS if the backend is reached so, within `timeout` from now.
    func securing(_ backend: Backend, on loop: LoopContext, within timeout: TimeAmount) -> EventLoopFuture<Value> {
        guard let tls = backend.tls else { return self }
        let bound = NIOLoopBound(loop, eventLoop: loop.eventLoop)
        let deadline = NIODeadline.now() + timeout
        let host = backend.host
        return flatMap { channel in
            tls.begin(on: channel, host: host, buffers: bound.value.receiveBuffers, by: deadline)
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
