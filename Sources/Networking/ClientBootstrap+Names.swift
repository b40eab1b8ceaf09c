package import NIOCore
package import NIOPosix
import Synchronization

extension ClientBootstrap {
    /// Connects to a host, given by name or address. All addresses of a name are tried within the bootstrap's connect
    /// timeout, which includes the name lookup. The next address is tried as soon as one fails, or in parallel once one
    /// has been silent for 250 ms (RFC 8305, as implemented in NIO). An address needs no lookup.
    ///
    /// The bootstrap's initializer runs for each address that is tried. Add anything that must exist only once to the
    /// channel that this returns.
    ///
    /// - Parameters:
    ///   - loop: the bootstrap's.
    /// - Returns: the connected channel; `NIOConnectionError` with a ``NameError`` if the name has no usable address.
    package func connect(
        host: String, port: Int, on loop: any EventLoop, by resolver: NameResolver
    ) -> EventLoopFuture<any Channel> {
        if let address = try? SocketAddress(ipAddress: host, port: port) { return connect(to: address) }
        return self.resolver(ConnectionNames(resolver, loop: loop)).connect(host: host, port: port)
    }
}

/// Adapts the name resolver to NIO's interface, for one connection.
private final class ConnectionNames: Resolver, Sendable {
    private let resolver: NameResolver
    private let loop: any EventLoop
    private let addresses: EventLoopPromise<[SocketAddress]>
    private let waiter = Mutex<NameTable.Waiter?>(nil)

    init(_ resolver: NameResolver, loop: any EventLoop) {
        self.resolver = resolver
        self.loop = loop
        addresses = loop.makePromise()
    }

    /// Always empty: all addresses are returned by the A query. NIO tries AAAA results first regardless of the
    /// resolver's order, but that order says which addresses are likely to be reachable.
    func initiateAAAAQuery(host: String, port: Int) -> EventLoopFuture<[SocketAddress]> {
        loop.makeSucceededFuture([])
    }

    func initiateAQuery(host: String, port: Int) -> EventLoopFuture<[SocketAddress]> {
        let resolved = resolver.lookUp(host, on: loop) { [addresses] answer in
            addresses.completeWith(Result { try answer.get().map { $0.with(port: port) } })
        }
        waiter.withLock { $0 = resolved }
        return addresses.futureResult
    }

    /// The timeout has expired.
    func cancelQueries() {
        guard let waiter = waiter.withLock({ $0 }), resolver.giveUp(waiter) else { return }
        addresses.fail(NameError.lookupFailed("timed out"))
    }
}
