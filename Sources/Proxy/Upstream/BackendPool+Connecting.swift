import NIOCore
import NIOPosix
import Networking

extension BackendPool {
    /// Why no place could be had.
    struct ConnectFailure: Error {
        let cause: Cause
    }

    typealias Taken = (Result<Upstream, ConnectFailure>) -> Void

    /// Longer than any kernel tries to connect.
    private static let kernelTimeout = TimeAmount.minutes(10)

    /// Opens a connection, and calls `taken` in a later turn of the loop with a place on it. A place that is no longer
    /// needed is returned by ``giveBack(_:)``.
    ///
    /// Where the backend is known to speak HTTP/2, one attempt serves all who ask while it is under way.
    ///
    /// - Parameter mayBecomeTunnel: the request offers a switch of protocols, which HTTP/1.1 has.
    func connect(mayBecomeTunnel: Bool = false, _ taken: @escaping Taken) {
        let onlyHTTP1 = needsHTTP1(mayBecomeTunnel)
        guard onlyHTTP1 || !http2.join(taken) else { return }
        open(onlyHTTP1: onlyHTTP1).assumeIsolated().whenComplete { [self] result in
            let all = onlyHTTP1 ? [taken] : [taken] + http2.attemptEnded()
            do {
                let opened = try result.get()
                try opened.isHTTP2 ? lend(http2: opened.channel, to: all) : lend(http1: opened.channel, to: all)
                if !onlyHTTP1, !opened.isHTTP2 { http2.areNotSpoken() }
            } catch {
                loop.counters.backendConnectFailures &+= 1
                let failure = ConnectFailure(cause: Cause(connecting: error))
                for taken in all { taken(.failure(failure)) }
            }
        }
    }

    /// Without TLS, the backend's URL says what it speaks.
    func needsHTTP1(_ mayBecomeTunnel: Bool) -> Bool { mayBecomeTunnel && !backend.isHTTP2 }

    private func open(onlyHTTP1: Bool) -> EventLoopFuture<BackendChannel> {
        let timeout = limits.pool.connectTimeout ?? Self.kernelTimeout
        return KeepAlive.set(on: .toBackend(on: loop, timeout: timeout))
            .connect(host: backend.host, port: backend.port, on: loop.eventLoop, by: loop.resolver)
            .securing(backend, on: loop, within: timeout, onlyHTTP1: onlyHTTP1)
    }

    /// The connection has one place. Who else waits gets a connection of its own.
    private func lend(http1 channel: any Channel, to all: [Taken]) throws {
        let connection = HTTP1BackendConnection(loop: loop, pool: self)
        try channel.pipeline.syncOperations.addHandler(connection)
        connected()
        all.first?(.success(.http1(connection)))
        for taken in all.dropFirst() { connect(taken) }
    }

    /// Who finds no room gets another connection, but for the first.
    private func lend(http2 channel: any Channel, to all: [Taken]) throws {
        let connection = HTTP2BackendConnection(
            loop: loop, keeper: self, isSecure: backend.tls != nil, assumedStreams: http2.assumedStreams)
        http2.add(connection)
        do {
            try channel.pipeline.syncOperations.addHandler(connection)
        } catch {
            http2.remove(connection)
            throw error
        }
        connected()
        all.first?(.success(.http2(connection.place())))
        for taken in all.dropFirst() {
            if connection.hasRoom { taken(.success(.http2(connection.place()))) } else { connect(taken) }
        }
    }
}
