package import NIOCore
package import NIOPosix
import Synchronization

extension ClientBootstrap {
    /// Connects to a host. All its addresses are tried within the bootstrap's connect time-out, which the look-up of a
    /// name is part of: the next one as soon as one fails, and beside it where it has been silent for 250 ms (RFC 8305,
    /// as NIO has it). An address needs no look-up.
    ///
    /// The bootstrap's initializer runs for each address that is tried. What there may be one of belongs into the
    /// channel that this returns.
    ///
    /// - Parameters:
    ///   - loop: the bootstrap's.
    /// - Returns: the connected channel; `NIOConnectionError` with a ``NameError`` where the name leads to no address.
    package func connect(
        host: String, port: Int, on loop: any EventLoop, by resolver: NameResolver
    ) -> EventLoopFuture<any Channel> {
        if let address = try? SocketAddress(ipAddress: host, port: port) { return connect(to: address) }
        return self.resolver(ConnectionNames(resolver, loop: loop)).connect(host: host, port: port)
    }
}

/// The name resolver as NIO asks it for one connection.
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

    /// None: all addresses are the answer to the other question. NIO tries those of IPv6 first whatever their order,
    /// and the order says which are likely to be reached.
    func initiateAAAAQuery(host: String, port: Int) -> EventLoopFuture<[SocketAddress]> {
        loop.makeSucceededFuture([])
    }

    func initiateAQuery(host: String, port: Int) -> EventLoopFuture<[SocketAddress]> {
        let resolved = resolver.lookUp(host, on: loop) { [addresses] answer in
            addresses.completeWith(Result { try Self.withPort(port, of: answer.get()) })
        }
        waiter.withLock { $0 = resolved }
        return addresses.futureResult
    }

    private static func withPort(_ port: Int, of addresses: [SocketAddress]) -> [SocketAddress] {
        addresses.map { address in
            var address = address
            address.port = port
            return address
        }
    }

    /// The time is up.
    func cancelQueries() {
        guard let waiter = waiter.withLock({ $0 }), resolver.giveUp(waiter) else { return }
        addresses.fail(NameError.lookupFailed("timed out"))
    }
}
