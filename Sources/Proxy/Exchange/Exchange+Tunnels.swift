import HTTPWire
import NIOCore

extension Exchange {
    /// The client has the head of the 101: what the two connections carry from now on is the protocol's. The request
    /// counts at its backend until the tunnel has ended.
    func switchedProtocols(to protocols: UpgradeProtocols) {
        guard case .sent = phase, let downstream, let backend = upstream?.handOver() else {
            return cut(Cause(.connectionLost))
        }
        upstream = nil
        let entryPoint = downstream.entryPoint
        guard let client = downstream.handOver() else {
            backend.close()
            return cut(Cause(.clientClosed))
        }
        // The client may have closed while its connection was handed over.
        guard case .sent = phase else {
            client.close()
            return backend.close()
        }
        self.downstream = nil
        phase = .switched
        giveBackHead()
        choice.switchedProtocols()
        loop.counters.requestsInFlight -= 1
        Tunnel(
            self, worker: worker, entryPoint: entryPoint, isWebSocket: protocols.areWebSocket,
            idleTimeout: timeouts.tunnel
        ).begin(client: client, backend: backend)
    }

    func keepSessionsAlive() { choice.keepSessionsAlive() }

    /// Nil if the request has no session.
    var sessionRenewalInterval: TimeAmount? { choice.sessionRenewalMilliseconds.map { .milliseconds($0) } }

    func tunnelEnded(_ reason: Reason, bytesFromClient: UInt64, bytesFromBackend: UInt64) {
        recording?.tunnelEnded(bytesFromClient: bytesFromClient, bytesFromBackend: bytesFromBackend)
        choice.service?.counting.counters.tunnelEnded(
            reason, bytesFromClient: bytesFromClient, bytesFromBackend: bytesFromBackend)
        finish(Cause(reason))
    }
}
