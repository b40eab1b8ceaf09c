package import NIOCore

extension NameResolver {
    /// The addresses to try for a host, given by name or address, in this order. An address needs no lookup.
    ///
    /// - Parameter limit: how long the lookup may take.
    /// - Returns: at least one address, or ``NameError``.
    package func addresses(
        of host: String, port: Int, on loop: any EventLoop, within limit: TimeAmount
    ) -> EventLoopFuture<[SocketAddress]> {
        if let address = try? SocketAddress(ipAddress: host, port: port) {
            return loop.makeSucceededFuture([address])
        }
        let promise = loop.makePromise(of: [SocketAddress].self)
        let waiter = lookUp(host, on: loop) { answer in
            promise.completeWith(answer.map { $0.map { $0.with(port: port) } }.mapError { $0 as any Error })
        }
        let timer = loop.scheduleTask(in: limit) { [self] in
            if giveUp(waiter) { promise.fail(NameError.lookupFailed("timed out")) }
        }
        promise.futureResult.whenComplete { _ in timer.cancel() }
        return promise.futureResult
    }
}

extension SocketAddress {
    func with(port: Int) -> SocketAddress {
        var address = self
        address.port = port
        return address
    }
}
