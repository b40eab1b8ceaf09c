import Affinity
import Configuration
import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import Networking
import Proxy
package import Routing
import TLS

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// A client of a replica's admin listener.
package struct AdminClient: Sendable {
    /// The limit for connecting and the whole response.
    static let timeout = TimeAmount.seconds(5)
    /// A longer response is refused.
    static let byteCountMax = 1 << 20

    /// The URL as given.
    package let url: String
    private let server: ServerURL
    /// Nil: plain HTTP.
    private let tls: ClientTLS?

    /// - Parameters:
    ///   - url: `http://host:port`, or `https://host:port`.
    ///   - authorities: those that vouch for the listener's certificate, each in DER form; nil: those of the system.
    ///   - certificate: shown to a listener that asks for one.
    /// - Throws: `AddressError`, whose message says how to correct the text.
    package init(
        _ url: String, authorities: [[UInt8]]? = nil, certificate: AdminCertificate? = nil
    ) throws(AddressError) {
        self.url = url
        server = try ServerURL(url)
        guard !server.isHTTP2 else { throw AddressError(url, "uses h2c: write http://host:port") }
        tls = server.isSecure ? try Self.tls(authorities, certificate, for: url) : nil
        guard !server.hasPath else { throw AddressError(url, "has a path: write http://host:port") }
    }

    /// The certificates in a PEM file, each in DER form. Blocks.
    ///
    /// - Throws: `AddressError`, which names the file.
    package static func authorities(in path: String) throws(AddressError) -> [[UInt8]] {
        let bytes: [UInt8]
        do throws(FileContents.Failure) {
            bytes = try FileContents.bytes(of: path, byteCountMax: CertificateFiles.byteCountMax)
        } catch {
            throw AddressError(path, error.reason)
        }
        guard let authorities = try? ServerCertificate.authorities(bytes) else {
            throw AddressError(path, "contains no certificate in PEM form")
        }
        return authorities
    }

    private static func tls(
        _ authorities: [[UInt8]]?, _ certificate: AdminCertificate?, for url: String
    ) throws(AddressError) -> ClientTLS {
        var settings = ClientTLSSettings()
        settings.authorities = authorities
        settings.certificate = certificate?.pair
        do {
            return try ClientTLS(settings, protocols: ["http/1.1"])
        } catch {
            throw AddressError(url, "cannot be asked with these certificates: \(error)")
        }
    }

    /// The fleet as that replica sees it, and the JSON that the replica sent.
    package func fleet() async throws(AdminClientError) -> (view: FleetView, json: String) {
        let bytes = try await get("/api/fleet")
        do {
            return (try FleetView(json: bytes), String(decoding: bytes, as: UTF8.self))
        } catch {
            throw AdminClientError(url: url, problem: "answered with something other than a fleet")
        }
    }

    /// What that replica knows about a session. It includes the store's record if the replica's cache does not suffice.
    ///
    /// - Parameter fingerprint: 32 hexadecimal digits.
    package func session(_ fingerprint: String, of service: String) async throws(AdminClientError) -> SessionView {
        try await decoded("/api/sessions/\(fingerprint)?service=\(Self.escaped(service))", what: "a session")
    }

    /// Whether that replica can reach each server of a service, keyed by URL.
    package func servers(of service: String) async throws(AdminClientError) -> [String: Bool] {
        let view: ServerStatus = try await decoded("/api/http/services/\(Self.escaped(service))", what: "a service")
        return view.serverStatus.mapValues { $0 == "UP" }
    }

    private struct ServerStatus: Decodable {
        let serverStatus: [String: String]
    }

    private func decoded<View: Decodable>(_ path: String, what: String) async throws(AdminClientError) -> View {
        let bytes = try await get(path)
        do {
            return try JSONDecoder().decode(View.self, from: Data(bytes))
        } catch {
            throw AdminClientError(url: url, problem: "answered with something other than \(what)")
        }
    }

    /// The name, percent-encoded for a path or a query.
    private static func escaped(_ name: String) -> String {
        let allowed = CharacterSet.alphanumerics.union(CharacterSet(charactersIn: "-._~"))
        return name.addingPercentEncoding(withAllowedCharacters: allowed) ?? ""
    }

    /// The body of a response with status 200.
    func get(_ path: String) async throws(AdminClientError) -> [UInt8] {
        let end = NIODeadline.now() + Self.timeout
        let channel: any Channel
        do {
            let loop = MultiThreadedEventLoopGroup.singleton.next()
            channel = try await ClientBootstrap(group: loop)
                .connectTimeout(Self.timeout)
                .connect(host: server.host, port: server.port, on: loop, by: .shared).get()
        } catch {
            throw AdminClientError(url: url, problem: "cannot be reached: \(Self.reason(error))")
        }
        do {
            let bytes = try await channel.eventLoop.flatSubmit {
                guard let tls else { return answer(to: path, over: channel, until: end) }
                return tls.begin(on: channel, host: server.host, by: end)
                    .flatMap { _ in answer(to: path, over: channel, until: end) }
            }.get()
            try? await channel.close()
            return bytes
        } catch {
            try? await channel.close()
            let problem =
                (error as? AdminAnswerFailure)?.problem
                ?? (error as? ClientTLSError ?? ClientTLSError(afterHandshake: error)).map(Self.problem)
                ?? "closed the connection: \(Self.reason(error))"
            throw AdminClientError(url: url, problem: problem)
        }
    }

    /// Must be called on the channel's loop.
    private func answer(
        to path: String, over channel: any Channel, until end: NIODeadline
    ) -> EventLoopFuture<[UInt8]> {
        let promise = channel.eventLoop.makePromise(of: [UInt8].self)
        let timer = channel.eventLoop.scheduleTask(deadline: end) { promise.fail(AdminAnswerFailure.late) }
        promise.futureResult.assumeIsolated().whenComplete { _ in timer.cancel() }
        do {
            try channel.pipeline.syncOperations.addHTTPClientHandlers()
            try channel.pipeline.syncOperations.addHandler(AdminAnswerHandler(promise))
        } catch {
            promise.fail(error)
            return promise.futureResult
        }
        let host = server.host.contains(":") ? "[\(server.host)]" : server.host
        let fields = HTTPHeaders([
            ("Host", "\(host):\(server.port)"), ("Accept", "application/json"), ("Connection", "close"),
        ])
        let head = HTTPRequestHead(version: .http1_1, method: .GET, uri: path, headers: fields)
        channel.write(HTTPClientRequestPart.head(head), promise: nil)
        // A connection that is already closed does not report it again.
        channel.writeAndFlush(HTTPClientRequestPart.end(nil))
            .whenFailure { _ in promise.fail(AdminAnswerFailure.cut) }
        return promise.futureResult
    }

    private static func problem(_ error: ClientTLSError) -> String {
        switch error {
        case .alert where error.isOfOwnCertificate:
            "demands a certificate: name one that it accepts with --cert and --key"
        case .expired, .unknownAuthority, .otherName, .otherURI, .unreadable, .invalid:
            "has a certificate that is refused: \(error.detail)"
        case .timedOut: AdminAnswerFailure.late.problem
        case .notTLS: "does not speak TLS: write http://host:port"
        case .alert, .ended, .failed, .prohibited, .library: "cannot be spoken to: \(error.detail)"
        }
    }

    private static func reason(_ error: any Error) -> String {
        switch error {
        case ChannelError.connectTimeout: return "no answer within \(timeout.nanoseconds / 1_000_000_000) s"
        case let failure as NIOConnectionError:
            guard let last = failure.connectionErrors.last else { return "\(failure.nameError)" }
            return reason(last.error)
        case let failure as IOError: return String(cString: strerror(failure.errnoCode)).lowercased()
        default: return "\(error)"
        }
    }
}

/// Why an admin listener did not answer: one sentence that names the listener.
package struct AdminClientError: Error, CustomStringConvertible {
    package let description: String

    init(url: String, problem: String) {
        description = "the admin listener \(url) \(problem)"
    }
}

/// What is wrong with a response.
private enum AdminAnswerFailure: Error {
    case status(Int)
    case tooLong
    case late
    case cut
    case malformed
    /// It speaks TLS, and was asked without.
    case needsTLS

    var problem: String {
        switch self {
        case .status(let code): "answered with status \(code)"
        case .tooLong: "answered with more than \(AdminClient.byteCountMax >> 20) MiB"
        case .late: "did not answer within \(AdminClient.timeout.nanoseconds / 1_000_000_000) s"
        case .cut: "closed the connection before its answer was complete"
        case .malformed: "does not speak HTTP"
        case .needsTLS: "needs TLS: write https://host:port"
        }
    }
}

/// Collects one response.
private final class AdminAnswerHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart

    private let answer: EventLoopPromise<[UInt8]>
    private var body: [UInt8] = []
    /// The status of a response that may say why it was not 200.
    private var failed: HTTPResponseStatus?

    init(_ answer: EventLoopPromise<[UInt8]>) {
        self.answer = answer
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            if head.status == .badRequest {
                failed = head.status
            } else if head.status != .ok {
                fail(.status(Int(head.status.code)), context)
            }
        case .body(let bytes):
            guard body.count + bytes.readableBytes <= AdminClient.byteCountMax else { return fail(.tooLong, context) }
            body.append(contentsOf: bytes.readableBytesView)
        case .end:
            guard let failed else { return answer.succeed(body) }
            fail(body.elementsEqual(AdminTLSOpening.needsTLS.utf8) ? .needsTLS : .status(Int(failed.code)), context)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        answer.fail(AdminAnswerFailure.cut)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        switch error {
        case HTTPParserError.invalidEOFState: answer.fail(AdminAnswerFailure.cut)
        case is HTTPParserError: answer.fail(AdminAnswerFailure.malformed)
        default: answer.fail(error)
        }
        context.close(promise: nil)
    }

    /// Later parts of the response are ignored.
    private func fail(_ failure: AdminAnswerFailure, _ context: ChannelHandlerContext) {
        answer.fail(failure)
        context.close(promise: nil)
    }
}
