import Configuration
import Foundation
import LimpetTestKit
import NIOCore
import Testing

@testable import Control

@Suite("The client of a Docker Engine")
struct DockerEngineTests {
    static let version = #"{"Version":"28.1","ApiVersion":"1.49","MinAPIVersion":"1.24"}"#

    private static func limits() -> DockerEngine.Limits {
        var limits = DockerEngine.Limits()
        limits.connect = .seconds(1)
        limits.head = .seconds(1)
        limits.answer = .seconds(2)
        limits.answerMebibytes = 1
        limits.queuedEvents = 8
        return limits
    }

    /// An Engine that answers `/version` well, or as it is told, and everything else by a script that is given the
    /// request's target.
    static func server(
        version: String = version, _ script: @escaping @Sendable (TCPSocket, String) throws -> Void = { _, _ in }
    ) throws -> ScriptedBackend {
        try ScriptedBackend { connection, _ in
            let head = try connection.receive(until: "\r\n\r\n")
            let target = head.split(separator: " ").dropFirst().first.map(String.init) ?? ""
            guard target != "/version" else { return try connection.send(answer(version)) }
            try script(connection, target)
        }
    }

    static func answer(_ body: String, _ status: String = "200 OK") -> String {
        "HTTP/1.1 \(status)\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
    }

    /// Of a stream of events, in chunks.
    static let eventsHead = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

    static func chunk(_ text: String) -> String {
        "\(String(text.utf8.count, radix: 16))\r\n\(text)\r\n"
    }

    static func event(_ action: String, _ id: String, time: Int64, signal: Int = 15) -> String {
        #"{"Type":"container","Action":"\#(action)","Actor":{"ID":"\#(id)","Attributes":{"signal":"\#(signal)"}},"#
            + #""timeNano":\#(time)}"# + "\n"
    }

    private static func connect(_ server: ScriptedBackend) async throws -> DockerEngine {
        try await DockerEngine.connect(to: .tcp(host: "127.0.0.1", port: server.port), limits: limits())
    }

    /// What is wrong when containers are listed over a connection that runs this script.
    private static func problem(
        _ script: @escaping @Sendable (TCPSocket, String) throws -> Void
    ) async throws -> DockerEngineError.Problem? {
        let server = try server(script)
        defer { server.close() }
        let engine = try await connect(server)
        return await #expect(throws: DockerEngineError.self) { _ = try await engine.containers() }?.problem
    }

    @Test(
        "the newest version that both know is spoken",
        arguments: [
            ("1.49", "1.24", "1.47"), ("1.41", "1.12", "1.41"), ("1.24", "1.12", "1.24"), ("1.60", "1.52", "1.52"),
        ])
    func negotiation(_ newest: String, _ oldest: String, _ spoken: String) async throws {
        let json = #"{"Version":"x","ApiVersion":"\#(newest)","MinAPIVersion":"\#(oldest)"}"#
        let server = try Self.server(version: json) { connection, target in
            try connection.send(Self.answer(target == "/v\(spoken)/containers/json?all=1" ? "[]" : "{}"))
        }
        defer { server.close() }
        let engine = try await Self.connect(server)
        #expect(engine.apiVersion.description == spoken)
        #expect(try await engine.containers() == [])
    }

    @Test(
        "what is no Engine, or an old one, is named as such",
        arguments: [
            (answer("{}"), "is not a Docker Engine (/version: it reports no API version)"),
            (answer("<html>"), "is not a Docker Engine"), ("SSH-2.0-OpenSSH_9.2\r\n", "it does not speak HTTP"),
            (answer("no\nway", "403 Forbidden"), "answered /version with status 403: no way"),
            (answer(#"{"message":"broken"}"#, "500 No"), "answered /version with status 500: broken"),
            (answer("", "404 Not Found"), "with status 404: no reason given"),
            (answer(#"{"ApiVersion":"1.23"}"#), "speaks API 1.23, but Limpet needs 1.24 or later: update Docker"),
            ("", "closed the connection before its answer to /version was complete"),
        ])
    func noEngine(_ answer: String, _ reason: String) async throws {
        let server = try ScriptedBackend { connection, _ in
            _ = try connection.receive(until: "\r\n\r\n")
            try connection.send(answer)
        }
        defer { server.close() }
        let error = await #expect(throws: DockerEngineError.self) { _ = try await Self.connect(server) }
        #expect(error?.description.contains(reason) == true, "\(error?.description ?? "")")
        #expect(error?.description.contains("tcp://127.0.0.1:\(server.port)") == true)
    }

    @Test("a socket that is not there, and one that nobody listens at, are named with what to do")
    func absent() async throws {
        let path = TemporaryFile.path()
        let error = await #expect(throws: DockerEngineError.self) {
            _ = try await DockerEngine.connect(to: .unix(path: path))
        }
        #expect(error?.problem == .absent)
        #expect(
            error?.description.hasPrefix(
                "the socket unix://\(path) does not exist: start Docker, or set providers.docker")
                == true)
        let endpoint = DockerEndpoint.tcp(host: "127.0.0.1", port: try LoopbackPort.free())
        let refused = await #expect(throws: DockerEngineError.self) { _ = try await DockerEngine.connect(to: endpoint) }
        #expect(
            refused?.description
                == "the Docker Engine at \(endpoint) cannot be reached: connection refused: is it running?")
    }

    @Test("a socket that may not be opened is named with what to do")
    func denied() {
        let refusal = IOError(errnoCode: 13, reason: "connect")
        let problem = DockerEngineError.Problem(connecting: refusal, DockerEngine.Limits())
        let error = DockerEngineError(endpoint: .unix(path: "/run/docker.sock"), path: "/version", problem: problem)
        #expect(error.description.hasPrefix("permission denied on the socket unix:///run/docker.sock"))
    }

    @Test("a list that is none, an answer that breaks off, and one without end are refused")
    func badAnswers() async throws {
        let garbage = try await Self.problem { connection, _ in try connection.send(Self.answer("[{]")) }
        #expect(garbage == .foreign("its answer does not match the Engine API"))
        let cut = try await Self.problem { connection, _ in
            try connection.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n[")
        }
        #expect(cut == .cut)
        let endless = try await Self.problem { connection, _ in
            try connection.send(Self.eventsHead)
            while true { try connection.send(Self.chunk(String(repeating: " ", count: 64 << 10))) }
        }
        #expect(endless == .tooLong("an answer", mebibytes: 1))
    }

    @Test("a silent Engine, and one that is too slow, are given up")
    func slow() async throws {
        let silent = try await Self.problem { connection, _ in _ = try connection.receiveAll() }
        #expect(silent == .late(1))
        let slow = try await Self.problem { connection, _ in
            try connection.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n[")
            _ = try connection.receiveAll()
        }
        #expect(slow == .late(2))
    }

    @Test("an answer of just the size that it may have is taken, and one of a byte more is not")
    func largest() async throws {
        for extra in [0, 1] {
            let json = "[]" + String(repeating: " ", count: (1 << 20) - 2 + extra)
            let server = try Self.server { connection, _ in try connection.send(Self.answer(json)) }
            defer { server.close() }
            let engine = try await Self.connect(server)
            let listed = await Result { () async throws -> [DockerListing] in try await engine.containers() }
            #expect((try? listed.get()) == (extra == 0 ? [] : nil))
        }
    }

    @Test("a container that is no more is none, and one with a strange id is not asked for")
    func noContainer() async throws {
        let server = try Self.server { connection, _ in
            try connection.send(Self.answer(#"{"message":"No such container"}"#, "404 Not Found"))
        }
        defer { server.close() }
        let engine = try await Self.connect(server)
        #expect(try await engine.container("ab12") == nil)
        let count = server.connectionCount
        #expect(try await engine.container("../x") == nil)
        #expect(server.connectionCount == count)
    }

    /// The events that come over such a stream, and how it ends.
    private static func events(
        _ pieces: [String]
    ) async throws -> (events: [DockerEvent], problem: DockerEngineError.Problem?) {
        let server = try server { connection, target in
            guard
                target
                    == "/v1.47/events?since=3.000000007&filters=%7B%22type%22%3A%5B%22container%22%2C%22network%22%5D%7D"
            else { return }
            for piece in pieces { try connection.send(piece) }
        }
        defer { server.close() }
        let events = try await connect(server).events(since: 3_000_000_007)
        var taken: [DockerEvent] = []
        do {
            for try await event in events.stream { taken.append(event) }
            return (taken, nil)
        } catch let error as DockerEngineError {
            return (taken, error.problem)
        }
    }

    @Test("events are read however they are cut, until the stream ends")
    func stream() async throws {
        let json = Self.event("start", "ab", time: 1)
        let text = json + "\n" + Self.event("exec_start: x", "ab", time: 1) + json
        let expected = DockerEvent(id: "ab", .other, time: 1)
        let whole = try await Self.events([Self.eventsHead, Self.chunk(text)])
        #expect(whole.events == [expected, expected])
        #expect(whole.problem == .eventsEnded)
        let cut = try await Self.events([Self.eventsHead] + text.map { Self.chunk(String($0)) } + ["0\r\n\r\n"])
        #expect(cut.events == [expected, expected])
        #expect(cut.problem == .eventsEnded)
    }

    @Test("a stream with something else than events, or with one without end, is given up")
    func badStream() async throws {
        let garbage = try await Self.events([Self.eventsHead, Self.chunk("hello\n")])
        #expect(garbage.problem == .foreign("it sends malformed events"))
        let long = try await Self.events([Self.eventsHead, Self.chunk(String(repeating: "a", count: (1 << 20) + 1))])
        #expect(long.problem == .tooLong("an event", mebibytes: 1))
    }

    @Test("a refused stream says why")
    func refusedStream() async throws {
        let server = try Self.server { connection, _ in
            try connection.send(Self.answer(#"{"message":"no events here"}"#, "403 Forbidden"))
        }
        defer { server.close() }
        let engine = try await Self.connect(server)
        let error = await #expect(throws: DockerEngineError.self) { _ = try await engine.events(since: 0) }
        #expect(error?.problem == .status(403, "no events here"))
    }

    @Test("events that are not taken end the stream instead of filling the memory")
    func lagging() async throws {
        let server = try Self.server { connection, _ in
            try connection.send(Self.eventsHead)
            try connection.send(Self.chunk(String(repeating: Self.event("start", "ab", time: 1), count: 9)))
            _ = try connection.receiveAll()
        }
        defer { server.close() }
        let events = try await Self.connect(server).events(since: 0)
        // The connection is given up before anybody takes one.
        #expect(await Threads.poll(within: 10) { !events.isOpen })
        var count = 0
        let error = await #expect(throws: DockerEngineError.self) { for try await _ in events.stream { count += 1 } }
        #expect(count == 8)
        #expect(error?.problem == .lagging)
    }
}

extension Result where Failure == any Error {
    init(_ body: () async throws -> Success) async {
        do { self = .success(try await body()) } catch { self = .failure(error) }
    }
}

extension Threads {
    /// Whether the condition came true in so many seconds.
    static func poll(within seconds: Double, _ condition: @escaping @Sendable () -> Bool) async -> Bool {
        (try? await run { Waiting.until(within: seconds, condition) }) ?? false
    }
}
