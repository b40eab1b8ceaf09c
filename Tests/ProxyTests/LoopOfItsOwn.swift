import Affinity
import HTTPWire
import Logging
import NIOCore
import NIOEmbedded
import Store

@testable import Proxy

/// An event loop's services without any socket: what decides can be asked directly.
struct LoopOfItsOwn {
    let loop: LoopContext
    let store: HeldStore
    let table: ServiceTable

    /// - Parameter described: services by their order; their backends' ports mean nothing.
    init(_ described: [Described], _ options: ProxyHarness.Options = .init()) throws {
        let eventLoop = EmbeddedEventLoop()
        loop = Self.context(on: eventLoop, limits: options.limits)
        store = HeldStore(eventLoop)
        table = ServiceTable(
            try Described.snapshot(described, options, succeeding: []), loop: loop, store: store,
            cache: BindingCache(entries: 1000), coherence: .alone())
        table.setClocks()
    }

    static func context(on eventLoop: any EventLoop, limits: ProxyLimits = .init()) -> LoopContext {
        LoopContext(
            eventLoop: eventLoop, entryPoints: 1, limits: limits, replicaName: "r1", exchangeLog: nil,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    static func client(_ address: String = "192.0.2.7", entryPoint: EntryPoint? = nil) throws -> ClientConnectionInfo {
        ClientConnectionInfo(
            remote: try SocketAddress(ipAddress: address, port: 4711),
            entryPoint: entryPoint ?? EntryPoint(name: "web", index: 0), replicaName: "r1")
    }

    struct Malformed: Error {}

    /// Calls `body` with a request as it is looked at.
    func withRequest<Result>(
        _ text: String, from client: ClientConnectionInfo? = nil, _ body: (RequestView) throws -> Result
    ) throws -> Result {
        let client = try client ?? Self.client()
        return try Array(text.utf8).withUnsafeBytes { bytes in
            guard case .head(let head) = loop.scanner.scanRequest(bytes, into: loop.requestFields) else {
                throw Malformed()
            }
            return try body(RequestView(head: head, bytes: bytes, fields: loop.requestFields, client: client))
        }
    }

    /// Calls `body` with a response as it is looked at.
    func withResponse<Result>(_ text: String, _ body: (ResponseView) throws -> Result) throws -> Result {
        try Array(text.utf8).withUnsafeBytes { bytes in
            let scan = loop.scanner.scanResponse(bytes, requestMethod: .get, into: loop.responseFields)
            guard case .head(let head) = scan else { throw Malformed() }
            return try body(ResponseView(head: head, bytes: bytes, fields: loop.responseFields))
        }
    }
}
