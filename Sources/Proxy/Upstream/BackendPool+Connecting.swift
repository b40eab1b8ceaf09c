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

    /// Opens a connection, and calls `taken` in a later turn of the loop with a place on it, or why there is none,
    /// unless the request leaves before.
    ///
    /// Where the backend is known to speak HTTP/2, one attempt serves all who ask while it is under way.
    ///
    /// - Parameter mayBecomeTunnel: the request offers a switch of protocols, which HTTP/1.1 has.
    func connect(mayBecomeTunnel: Bool = false, _ taken: @escaping Taken) -> ConnectWait {
        let wait = ConnectWait(for: self, taken)
        connect(wait, onlyHTTP1: backend.tls != nil && needsHTTP1(mayBecomeTunnel))
        return wait
    }

    func stopWaiting(_ wait: ConnectWait) { attempts.leave(wait) }

    private func connect(_ wait: ConnectWait, onlyHTTP1: Bool, mayInherit: Bool = true) {
        let hasJoined = attempts.join(wait, onlyHTTP1: onlyHTTP1, isShared: http2.areSpoken, mayInherit: mayInherit)
        guard !hasJoined else { return }
        let attempt = attempts.begin(for: wait, onlyHTTP1: onlyHTTP1)
        open(onlyHTTP1: onlyHTTP1).assumeIsolated().whenComplete { [self] result in
            attempts.ended(attempt)
            let waits = attempt.end()
            do {
                let opened = try result.get()
                try opened.isHTTP2 ? lend(http2: opened.channel, to: waits) : lend(http1: opened.channel, to: waits)
                if !onlyHTTP1, !opened.isHTTP2 { http2.areNotSpoken() }
            } catch {
                loop.counters.backendConnectFailures &+= 1
                failed(waits, onlyHTTP1: onlyHTTP1, error)
            }
        }
    }

    /// Who has inherited the attempt gets one of its own: it has not had its whole time.
    private func failed(_ waits: [ConnectWait], onlyHTTP1: Bool, _ error: any Error) {
        let failure = ConnectFailure(cause: Cause(connecting: error))
        for wait in waits where !wait.hasLeft {
            if wait.isHeir {
                connect(wait, onlyHTTP1: onlyHTTP1, mayInherit: false)
            } else {
                wait.taken(.failure(failure))
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

    /// The connection has one place. Who else waits gets a connection of its own; if nobody does, it is kept.
    private func lend(http1 channel: any Channel, to waits: [ConnectWait]) throws {
        let connection = HTTP1BackendConnection(loop: loop, pool: self)
        try channel.pipeline.syncOperations.addHandler(connection)
        connected()
        guard let first = waits.first else { return connection.park() }
        first.taken(.success(.http1(connection)))
        for wait in waits.dropFirst() where !wait.hasLeft { connect(wait, onlyHTTP1: false) }
    }

    /// Who finds no room gets another connection, but for the first.
    private func lend(http2 channel: any Channel, to waits: [ConnectWait]) throws {
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
        guard let first = waits.first else { return connection.place().end() }
        first.taken(.success(.http2(connection.place())))
        for wait in waits.dropFirst() where !wait.hasLeft {
            if connection.hasRoom {
                wait.taken(.success(.http2(connection.place())))
            } else {
                connect(wait, onlyHTTP1: false)
            }
        }
    }
}
