import Affinity
import HTTPWire
import NIOCore
import NIOPosix
import Networking

/// Checks backends by HTTP. Whether and when is decided by ``BackendCheck``.
protocol HealthChecking: AnyObject {
    /// Makes one check and calls `then` once, in this turn of the loop or a later one. Not called while a check is in
    /// progress.
    ///
    /// - Parameters:
    ///   - isFresh: use a new connection, so that the result also says whether one can be made.
    ///   - connectTimeout: for one attempt to connect.
    func check(isFresh: Bool, connectTimeout: TimeAmount, _ then: @escaping (CheckResult) -> Void)

    /// The backend is no longer checked: releases everything. `then` may not be called any more.
    func stop()
}

/// What one check found.
struct CheckResult: Equatable {
    /// Nil: the backend is healthy.
    var failure: FailingReason?
    /// Whether a new connection was made.
    var hasConnected: Bool
}

/// The health check of one backend, over one connection that is kept between checks if the responses allow.
///
/// The whole check, with connecting and redirects, is bounded by the check's timeout, which may pass up to
/// ``DeadlineScan/interval`` late. A kept connection that turns out to have ended is replaced once.
final class BackendChecker: HealthChecking {
    private struct Run {
        let deadline: NIODeadline
        let connectTimeout: TimeAmount
        let then: (CheckResult) -> Void
        var path: String
        var method: String
        var redirects = 0
        var hasConnected = false
        /// The request went over a connection that an earlier check has used.
        var isOnKept = false
    }

    static let redirectsMax = 3

    private let loop: LoopContext
    private let check: HealthCheck
    private let target: CheckTarget
    /// The request for the check's own path.
    private let request: CheckRequest
    private var connection: (any CheckCarrier)?
    private var run: Run?

    init(loop: LoopContext, backend: Backend, check: HealthCheck) {
        self.loop = loop
        self.check = check
        target = CheckTarget(backend, check)
        request = target.request()
    }

    func check(isFresh: Bool, connectTimeout: TimeAmount, _ then: @escaping (CheckResult) -> Void) {
        guard run == nil else { return }
        if isFresh { dropConnection() }
        run = Run(
            deadline: .now() + .milliseconds(check.pace.timeoutMilliseconds), connectTimeout: connectTimeout,
            then: then, path: check.path, method: check.method)
        send(request)
    }

    func stop() {
        run = nil
        dropConnection()
    }

    private func dropConnection() {
        connection.take()?.close()
    }

    // MARK: One request

    private func send(_ request: CheckRequest) {
        guard let connection, connection.isUsable else { return connect(request) }
        run?.isOnKept = true
        send(request, over: connection)
    }

    private func send(_ request: CheckRequest, over connection: any CheckCarrier) {
        guard let run else { return }
        connection.send(request, by: run.deadline) { [self] end in ended(end, request) }
    }

    private func connect(_ request: CheckRequest) {
        guard let run else { return }
        self.run?.isOnKept = false
        let left = min(run.connectTimeout, run.deadline - .now())
        guard left > .zero else { return finish(.timedOut) }
        ClientBootstrap.toBackend(on: loop, timeout: left)
            .connect(host: target.host, port: target.port, on: loop.eventLoop, by: loop.resolver)
            .securing(target.place, on: loop, within: left)
            .assumeIsolated()
            .whenComplete { [self] result in connected(result, request) }
    }

    private func connected(_ result: Result<BackendChannel, any Error>, _ request: CheckRequest) {
        switch result {
        case .failure(let error):
            finish(FailingReason(connecting: error))
        case .success(let opened):
            guard run != nil, let connection = try? carrier(on: opened) else {
                opened.channel.close(promise: nil)
                return finish(.closed)
            }
            run?.hasConnected = true
            guard opened.isHTTP2 || check.mode == .http else {
                connection.close()
                return finish(.notHTTP2)
            }
            self.connection = connection
            send(request, over: connection)
        }
    }

    private func carrier(on opened: BackendChannel) throws -> any CheckCarrier {
        let isSecure = target.place.tls != nil
        if opened.isHTTP2 { return try HTTP2CheckConnection(loop: loop, on: opened.channel, isSecure: isSecure) }
        let connection = CheckConnection(loop: loop, isPlain: !isSecure)
        try opened.channel.pipeline.syncOperations.addHandler(connection)
        return connection
    }

    private func ended(_ end: CheckEnd, _ request: CheckRequest) {
        guard let run else { return }
        if connection?.isUsable != true { connection = nil }
        switch end {
        case .failed(.closed, isUntouched: true) where run.isOnKept:
            connect(request)
        case .failed(let reason, _):
            finish(reason)
        case .answered(let answer) where check.mode == .grpc:
            finish(GRPCHealth.failure(of: answer))
        case .answered(let answer):
            guard let path = redirection(answer.status, answer.location, run) else {
                return finish(check.isHealthy(answer.status) ? nil : .status(answer.status))
            }
            follow(answer.status, to: path)
        }
    }

    private func redirection(_ status: Int, _ location: [UInt8], _ run: Run) -> String? {
        guard [301, 302, 303, 307, 308].contains(status) else { return nil }
        return target.redirect(to: location, from: run.path)
    }

    private func follow(_ status: Int, to path: String) {
        guard var run else { return }
        run.redirects += 1
        guard run.redirects <= Self.redirectsMax else { return finish(.redirects) }
        run.path = path
        run.isOnKept = false
        // As browsers do (RFC 9110, section 15.4).
        if (301...303).contains(status), run.method != "HEAD" { run.method = "GET" }
        self.run = run
        send(target.request(path: path, method: run.method))
    }

    private func finish(_ failure: FailingReason?) {
        guard let run = run.take() else { return }
        run.then(CheckResult(failure: failure, hasConnected: run.hasConnected))
    }
}

extension FailingReason {
    init(connecting error: any Error) {
        if let error = error as? BackendTLSError {
            self = error.failure
            return
        }
        switch Cause(connecting: error).reason {
        case .connectTimeout: self = .connectTimedOut
        case .connectRefused: self = .connectionRefused
        default: self = .connectFailed
        }
    }
}

@available(*, unavailable)
extension BackendChecker: Sendable {}
