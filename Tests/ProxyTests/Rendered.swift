import HTTPWire
import NIOCore
import Routing

@testable import Proxy

/// Heads as they are passed on, without a connection.
enum Rendered {
    struct Malformed: Error {}

    /// The replica's name and the client's address are those of each test.
    static let address = "192.0.2.7"
    static let replicaName = "r1"

    struct Options {
        var isTrusted = false
        var passHost = true
        var path: String?
        var edits: [FieldEdit] = []
    }

    /// A request as a backend at `b:1` is sent it, twice, for a connection may be lost.
    static func upstream(_ text: String, _ options: Options = Options()) throws -> String {
        var edits = FieldEdits()
        edits.apply(options.edits)
        return try view(text, isTrusted: options.isTrusted) { view in
            var head = UpstreamHead(
                view, passHost: options.passHost, path: options.path.map { Array($0.utf8) },
                edits: edits, into: ByteBuffer())
            let first = head.bytes(authority: "another-backend.example:12345")
            let second = String(buffer: head.bytes(authority: "b:1"))
            let again = String(buffer: first).replacing("another-backend.example:12345", with: "b:1")
            guard again == second else { throw Malformed() }
            return second
        }
    }

    /// What rules see of a request.
    static func view<Result>(
        _ text: String, isTrusted: Bool = false, _ body: (RequestView) throws -> Result
    ) throws -> Result {
        let trusted = isTrusted ? [try AddressRange("192.0.2.0/24")] : []
        let client = ClientConnectionInfo(
            remote: try SocketAddress(ipAddress: address, port: 4711),
            entryPoint: EntryPoint(name: "web", index: 0, trustedPeers: trusted), replicaName: replicaName)
        let fields = FieldTable()
        return try Array(text.utf8).withUnsafeBytes { bytes in
            guard case .head(let head) = HeadScanner().scanRequest(bytes, into: fields) else { throw Malformed() }
            return try body(RequestView(head: head, bytes: bytes, fields: fields, client: client))
        }
    }

    /// A response as the client is sent it; the date of one that has none is `now`.
    static func downstream(
        _ text: String, to method: HTTPWire.Method = .get, closes: Bool = false, isHTTP10: Bool = false,
        edits: [FieldEdit] = []
    ) throws -> String {
        var all = FieldEdits()
        all.apply(edits)
        let fields = FieldTable()
        return try Array(text.utf8).withUnsafeBytes { bytes in
            guard case .head(let head) = HeadScanner().scanResponse(bytes, requestMethod: method, into: fields) else {
                throw Malformed()
            }
            var buffer = ByteBuffer()
            let framing = ResponseFraming(
                coding: .plain, addsTransferEncoding: false, removesTransferEncoding: isHTTP10,
                connection: closes ? .close : isHTTP10 ? .keepAlive : .none)
            DownstreamHead.write(
                ResponseView(head: head, bytes: bytes, fields: fields), framing,
                adding: ResponseAdditions(setCookie: [], edits: all), date: { Array("Date: now\r\n".utf8) },
                into: &buffer)
            return String(buffer: buffer)
        }
    }
}
