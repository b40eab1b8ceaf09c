import Configuration
import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import Networking

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// A complete response of an Engine.
struct DockerAnswer: Equatable, Sendable {
    let status: Int
    let body: [UInt8]
}

/// The events as they arrive.
struct DockerEvents: Sendable {
    /// Ends only with a `DockerEngineError`, unless its consumer is cancelled.
    let stream: AsyncThrowingStream<DockerEvent, any Error>
    fileprivate let channel: any Channel

    var isOpen: Bool { channel.isActive }

    /// Ends the stream of events.
    func close() { channel.close(promise: nil) }
}

/// One request to an Engine.
struct DockerRequest: Sendable {
    let endpoint: DockerEndpoint
    let limits: DockerEngine.Limits
    /// The path without the API version.
    let path: String
    var query: String?
    let version: DockerAPIVersion?

    private var target: String {
        (version.map { "/v\($0)" } ?? "") + path + (query.map { "?\($0)" } ?? "")
    }

    /// Ends early if the task is cancelled.
    ///
    /// - Throws: `DockerEngineError`.
    func answer() async throws -> DockerAnswer {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let promise = loop.makePromise(of: DockerAnswer.self)
        let byteCountMax = limits.answerMebibytes << 20
        return try await exchange(promise, within: limits.answer, on: loop) { [limits] in
            DockerAnswerHandler(promise, limits: limits, byteCountMax: byteCountMax)
        } value: { answer, channel in
            channel.close(promise: nil)
            return answer
        }
    }

    /// - Throws: `DockerEngineError`.
    func events() async throws -> DockerEvents {
        let (stream, continuation) = AsyncThrowingStream.makeStream(
            of: DockerEvent.self, throwing: (any Error).self, bufferingPolicy: .bufferingOldest(limits.queuedEvents))
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let promise = loop.makePromise(of: DockerAnswer.self)
        let (result, channel) = try await exchange(promise, within: limits.head, on: loop) { [limits] in
            DockerEventHandler(promise, limits: limits, continuation) { error(.init(of: $0, limits)) }
        } value: {
            ($0, $1)
        }
        guard result.status == 200 else {
            channel.close(promise: nil)
            throw error(result)
        }
        return DockerEvents(stream: stream, channel: channel)
    }

    /// Sends the request and waits for the handler's result. The connection is closed unless everything succeeds.
    private func exchange<Result: Sendable>(
        _ promise: EventLoopPromise<DockerAnswer>, within time: TimeAmount, on loop: any EventLoop,
        _ handler: @escaping @Sendable () -> any ChannelHandler,
        value: @Sendable (DockerAnswer, any Channel) -> Result
    ) async throws -> Result {
        let channel: any Channel
        do {
            channel = try await connect(on: loop)
        } catch {
            promise.fail(error)
            throw self.error(DockerEngineError.Problem(connecting: error, limits))
        }
        let timer = loop.scheduleTask(in: time) { promise.fail(DockerAnswerFailure.late(time)) }
        defer { timer.cancel() }
        loop.execute {
            do {
                try channel.pipeline.syncOperations.addHTTPClientHandlers()
                try channel.pipeline.syncOperations.addHandler(handler())
                try channel.syncOptions?.setOption(.autoRead, value: true)
            } catch {
                promise.fail(error)
            }
            send(over: channel, promise)
        }
        do {
            let answer = try await withTaskCancellationHandler {
                try await promise.futureResult.get()
            } onCancel: {
                channel.close(promise: nil)
            }
            return value(answer, channel)
        } catch {
            channel.close(promise: nil)
            throw self.error(DockerEngineError.Problem(of: error, limits))
        }
    }

    /// A connection that is not read until a handler is attached: if several are tried at once, only the chosen one is
    /// read. Ends at once if the task is cancelled.
    private func connect(on loop: any EventLoop) async throws -> any Channel {
        let connecting = connection(on: loop)
        let promise = loop.makePromise(of: (any Channel).self)
        connecting.cascade(to: promise)
        return try await withTaskCancellationHandler {
            try await promise.futureResult.get()
        } onCancel: {
            promise.fail(CancellationError())
            connecting.whenSuccess { $0.close(promise: nil) }
        }
    }

    private func connection(on loop: any EventLoop) -> EventLoopFuture<any Channel> {
        let bootstrap = ClientBootstrap(group: loop).connectTimeout(limits.connect)
            .channelOption(.autoRead, value: false)
        switch endpoint {
        case .unix(let path): return bootstrap.connect(unixDomainSocketPath: path)
        case .tcp(let host, let port):
            return bootstrap.channelOption(.socketOption(.so_keepalive), value: 1).connect(
                host: host, port: port, on: loop, by: .shared)
        }
    }

    private func send(over channel: any Channel, _ promise: EventLoopPromise<DockerAnswer>) {
        let fields = HTTPHeaders([
            ("Host", endpoint.authority), ("Accept", "application/json"), ("User-Agent", "limpet"),
            ("Connection", "close"),
        ])
        let head = HTTPRequestHead(version: .http1_1, method: .GET, uri: target, headers: fields)
        channel.write(HTTPClientRequestPart.head(head), promise: nil)
        // A connection that is already closed does not report it again.
        channel.writeAndFlush(HTTPClientRequestPart.end(nil))
            .whenFailure { _ in promise.fail(DockerAnswerFailure.cut) }
    }

    /// - Throws: `DockerEngineError` if the body is not of this type.
    func decode<Value: Decodable>(_ answer: DockerAnswer, as type: Value.Type) throws -> Value {
        do {
            return try JSONDecoder().decode(type, from: Data(answer.body))
        } catch {
            throw self.error(.foreign("its answer does not match the Engine API"))
        }
    }

    func error(_ problem: DockerEngineError.Problem) -> DockerEngineError {
        DockerEngineError(endpoint: endpoint, path: path, problem: problem)
    }

    /// The error for a status other than 200.
    func error(_ answer: DockerAnswer) -> DockerEngineError {
        struct Message: Decodable {
            let message: String
        }
        let said = try? JSONDecoder().decode(Message.self, from: Data(answer.body)).message
        let text = (said ?? String(decoding: answer.body.prefix(300), as: UTF8.self))
            .map { $0.isNewline ? " " : $0 }.prefix(300)
        return error(.status(answer.status, text.isEmpty ? "no reason given" : String(text)))
    }
}

extension DockerEngineError.Problem {
    /// The problem for an error during an exchange.
    init(of error: any Error, _ limits: DockerEngine.Limits) {
        switch error {
        case DockerAnswerFailure.late(let time): self = .late(time.nanoseconds / 1_000_000_000)
        case DockerAnswerFailure.tooLong(let what, let mebibytes): self = .tooLong(what, mebibytes: mebibytes)
        case DockerAnswerFailure.noEvent: self = .foreign("it sends malformed events")
        case DockerAnswerFailure.lagging: self = .lagging
        case DockerAnswerFailure.ended: self = .eventsEnded
        case HTTPParserError.invalidEOFState: self = .cut
        case is HTTPParserError: self = .foreign("it does not speak HTTP")
        default: self = .cut
        }
    }

    /// The problem for a failed connection.
    init(connecting error: any Error, _ limits: DockerEngine.Limits) {
        switch error {
        case ChannelError.connectTimeout:
            self = .unreachable("no answer within \(limits.connect.nanoseconds / 1_000_000_000) s")
        case let failure as NIOConnectionError:
            guard let last = failure.connectionErrors.last else {
                self = .unreachable("\(failure.nameError)")
                return
            }
            self.init(connecting: last.error, limits)
        case let failure as IOError:
            switch failure.errnoCode {
            case ENOENT: self = .absent
            case EACCES, EPERM: self = .denied
            default: self = .unreachable(String(cString: strerror(failure.errnoCode)).lowercased())
            }
        default: self = .unreachable("\(error)")
        }
    }
}
