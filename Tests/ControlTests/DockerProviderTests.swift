import LimpetTestKit
import Logging
import Synchronization
import Testing

@testable import Control

/// What a provider says, and how often.
final class DockerChanges: Sendable {
    private let changes = Mutex<[[DockerContribution]]>([])

    var all: [[DockerContribution]] { changes.withLock { $0 } }
    var last: [DockerContribution]? { all.last }

    func add(_ contributions: [DockerContribution]) { changes.withLock { $0.append(contributions) } }

    /// Waits until the last one is so. Blocks.
    func wait(within seconds: Double = 15, _ condition: ([DockerContribution]) -> Bool) -> Bool {
        Waiting.until(within: seconds) { last.map(condition) ?? false }
    }

    /// A container as each change had it, without what repeats: `-` where it is not there, `drains`, or its address.
    func history(of name: String) -> [String] {
        all.map { contributions in
            guard let one = contributions.first(where: { $0.containerName == name }) else { return "-" }
            return one.isDraining ? "drains" : one.host ?? "nowhere"
        }
        .reduce(into: []) { if $0.last != $1 { $0.append($1) } }
    }
}

/// Runs a provider beside the body, which is run on a thread of its own and may block.
func withDockerProvider(
    _ settings: DockerProviderSettings, pace: DockerSession.Pace = DockerSession.Pace(),
    limits: DockerEngine.Limits = DockerEngine.Limits(),
    _ body: @escaping @Sendable (DockerProvider, DockerChanges) throws -> Void
) async throws {
    let changes = DockerChanges()
    let provider = try DockerProvider(
        settings, limits: limits, pace: pace, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
        onChange: changes.add)
    let running = Task { try await provider.run() }
    do {
        try await Threads.run { try body(provider, changes) }
    } catch {
        running.cancel()
        _ = await running.result
        throw error
    }
    running.cancel()
    _ = await running.result
}

@Suite("The Docker provider, with Engines that do not behave")
struct DockerProviderTests {
    /// An Engine whose containers and events a test chooses.
    private final class ScriptedEngine: Sendable {
        struct State {
            /// By id, what describes each; nil: the Engine fails to say.
            var containers: [String: String?] = [:]
            var events: [TCPSocket] = []
            var inspected: [String] = []
            var failsListing = false
        }

        let state = Mutex(State())

        func server(port: Int = 0) throws -> ScriptedBackend {
            try ScriptedBackend(port: port) { [self] connection, _ in
                let head = try connection.receive(until: "\r\n\r\n")
                let target = head.split(separator: " ").dropFirst().first.map(String.init) ?? ""
                if target.contains("/events") {
                    try connection.send(DockerEngineTests.eventsHead)
                    state.withLock { $0.events.append(connection) }
                    _ = try connection.receiveAll()
                } else {
                    try connection.send(answer(to: target))
                }
            }
        }

        private func answer(to target: String) -> String {
            state.withLock { state in
                if target == "/version" { return DockerEngineTests.answer(DockerEngineTests.version) }
                if target.contains("/containers/json") {
                    if state.failsListing { return DockerEngineTests.answer("{}", "500 Error") }
                    let list = state.containers.keys.sorted().map { #"{"Id":"\#($0)","State":"running"}"# }
                    return DockerEngineTests.answer("[\(list.joined(separator: ","))]")
                }
                let id = target.split(separator: "/").dropFirst(2).first.map(String.init) ?? ""
                state.inspected.append(id)
                guard let container = state.containers[id] else {
                    return DockerEngineTests.answer("{}", "404 Not Found")
                }
                return container.map { DockerEngineTests.answer($0) } ?? DockerEngineTests.answer("{}", "500 Error")
            }
        }

        func set(_ id: String, address: String?, started: Int = 1) {
            let json = address.map {
                #"{"Id":"\#(id)","Name":"/\#(id)","State":{"Status":"running","StartedAt":"2026-01-01T00:00:0\#(started)Z"},"#
                    + #""HostConfig":{"NetworkMode":"n"},"NetworkSettings":{"Networks":{"n":{"IPAddress":"\#($0)"}}}}"#
            }
            state.withLock { $0.containers[id] = .some(json) }
        }

        func tell(_ action: String, _ id: String, time: Int64 = 1_900_000_000_000_000_000) throws {
            let text = DockerEngineTests.chunk(DockerEngineTests.event(action, id, time: time))
            for connection in state.withLock({ $0.events }) { try? connection.send(text) }
        }

        func hangUp() {
            for connection in state.withLock({ $0.events }) { connection.closeOutput() }
        }

        var inspected: [String] { state.withLock { $0.inspected } }
        var streamCount: Int { state.withLock { $0.events.count } }
    }

    private static func settings(_ server: ScriptedBackend) -> DockerProviderSettings {
        var settings = DockerProviderSettings()
        settings.endpoint = "tcp://127.0.0.1:\(server.port)"
        return settings
    }

    @Test("nothing is said before all containers have been looked at, and then all of them at once")
    func first() async throws {
        let engine = ScriptedEngine()
        for id in ["a", "b", "c", "d", "e", "f"] { engine.set(id, address: "10.0.0.1") }
        let server = try engine.server()
        defer { server.close() }
        try await withDockerProvider(Self.settings(server)) { provider, changes in
            #expect(changes.wait { _ in true })
            #expect(changes.all.map(\.count) == [6])
            #expect(Waiting.until(within: 5) { provider.status.isConnected })
            #expect(provider.status.engineVersion == "28.1")
            #expect(provider.status.contributionCount == 6)
            #expect(provider.status.lastError == nil)
        }
    }

    @Test("an event that comes before all containers have been looked at says nothing yet, and counts")
    func earlyEvent() async throws {
        let changes = DockerChanges()
        let watch = DockerWatch(
            try DockerSelection(DockerProviderSettings()),
            status: DockerStatusBox(DockerProviderStatus(endpoint: "")), logger: Logger(label: "test"),
            onChange: changes.add)
        let networks = ["n": DockerContainer.Addresses(ipv4: "10.0.0.1")]
        let containers = ["a", "b"].map { DockerContainer(id: $0, name: $0, networks: networks) }
        await watch.listed(containers.map { DockerListing(id: $0.id, state: $0.state) }, isNew: true)
        _ = await watch.takePending()
        await watch.inspected("a", containers[0])
        await watch.heard(DockerEvent(id: "a", .signal(.terminate), time: 1))
        #expect(changes.all.isEmpty)
        await watch.inspected("b", containers[1])
        await watch.settled()
        #expect(changes.all.map { $0.map(\.isDraining) } == [[true, false]])
    }

    @Test("an Engine without containers contributes none, and says so")
    func empty() async throws {
        let server = try ScriptedEngine().server()
        defer { server.close() }
        try await withDockerProvider(Self.settings(server)) { _, changes in
            #expect(changes.wait { $0.isEmpty })
        }
    }

    @Test("only the container that an event names is looked at again")
    func oneInspection() async throws {
        let engine = ScriptedEngine()
        for id in ["a", "b"] { engine.set(id, address: "10.0.0.1") }
        let server = try engine.server()
        defer { server.close() }
        try await withDockerProvider(Self.settings(server)) { _, changes in
            #expect(changes.wait { $0.count == 2 })
            engine.set("b", address: "10.0.0.9")
            try engine.tell("start", "b")
            #expect(changes.wait { $0.last?.host == "10.0.0.9" })
            #expect(engine.inspected.sorted() == ["a", "b", "b"])
        }
    }

    @Test("what was known stays when the Engine is lost, and the Engine is found again")
    func loss() async throws {
        let engine = ScriptedEngine()
        engine.set("a", address: "10.0.0.1")
        let server = try engine.server()
        try await withDockerProvider(Self.settings(server)) { provider, changes in
            #expect(changes.wait { $0.count == 1 })
            #expect(Waiting.until(within: 5) { provider.status.isConnected })
            server.close()
            engine.hangUp()
            #expect(Waiting.until(within: 5) { !provider.status.isConnected })
            #expect(provider.status.lastError?.contains("ended its stream of events") == true)
            #expect(Waiting.until(within: 10) { provider.status.lastError?.contains("cannot be reached") == true })
            #expect(changes.all.count == 1)
            engine.set("b", address: "10.0.0.2")
            let again = try engine.server(port: server.port)
            defer { again.close() }
            #expect(changes.wait { $0.count == 2 })
            #expect(changes.all.count == 2)
            #expect(Waiting.until(within: 5) { provider.status.isConnected })
            #expect(provider.status.lossCount == 1)
        }
    }

    @Test("an Engine that fails to list is not one without containers")
    func failedListing() async throws {
        let engine = ScriptedEngine()
        engine.set("a", address: "10.0.0.1")
        let server = try engine.server()
        defer { server.close() }
        try await withDockerProvider(Self.settings(server)) { provider, changes in
            #expect(changes.wait { $0.count == 1 })
            engine.state.withLock { $0.failsListing = true }
            engine.hangUp()
            #expect(Waiting.until(within: 5) { provider.status.lastError?.contains("status 500") == true })
            engine.state.withLock { $0.failsListing = false }
            #expect(Waiting.until(within: 10) { provider.status.isConnected })
            #expect(changes.all.count == 1)
        }
    }

    @Test("a container that cannot be looked at holds up no other, and comes when it can")
    func failedInspection() async throws {
        let engine = ScriptedEngine()
        engine.set("a", address: nil)
        engine.set("b", address: "10.0.0.2")
        let server = try engine.server()
        defer { server.close() }
        var pace = DockerSession.Pace()
        pace.retry = .milliseconds(50)
        try await withDockerProvider(Self.settings(server), pace: pace) { _, changes in
            #expect(changes.wait { $0.map(\.containerName) == ["b"] })
            engine.set("a", address: "10.0.0.1")
            #expect(changes.wait { $0.count == 2 })
        }
    }

    @Test("where no container at all can be looked at, nothing is said")
    func allInspectionsFail() async throws {
        let engine = ScriptedEngine()
        for id in ["a", "b"] { engine.set(id, address: nil) }
        let server = try engine.server()
        defer { server.close() }
        try await withDockerProvider(Self.settings(server)) { provider, changes in
            #expect(Waiting.until(within: 5) { provider.status.lastError?.contains("status 500") == true })
            #expect(changes.all.isEmpty)
            for id in ["a", "b"] { engine.set(id, address: "10.0.0.1") }
            #expect(changes.wait { $0.count == 2 })
        }
    }

    @Test("what no event told is found by a listing in between")
    func silentChange() async throws {
        let engine = ScriptedEngine()
        engine.set("a", address: "10.0.0.1")
        let server = try engine.server()
        defer { server.close() }
        var pace = DockerSession.Pace()
        pace.retry = .milliseconds(20)
        pace.listing = .milliseconds(40)
        try await withDockerProvider(Self.settings(server), pace: pace) { _, changes in
            #expect(changes.wait { $0.count == 1 })
            engine.state.withLock { $0.containers = [:] }
            engine.set("b", address: "10.0.0.2")
            #expect(changes.wait { $0.map(\.containerName) == ["b"] })
        }
    }

    @Test("a signal drains at once, though another container takes long to be looked at")
    func signalAtOnce() async throws {
        let engine = ScriptedEngine()
        engine.set("a", address: "10.0.0.1")
        let server = try engine.server()
        defer { server.close() }
        try await withDockerProvider(Self.settings(server)) { _, changes in
            #expect(changes.wait { $0.count == 1 })
            engine.set("a", address: nil)
            try engine.tell("update", "a")
            try engine.tell("kill", "a")
            #expect(changes.wait { $0.first?.isDraining == true })
            // The connection is lost, and the Engine says that it runs: it is the same run, and drains on.
            engine.set("a", address: "10.0.0.1")
            engine.hangUp()
            #expect(Waiting.until(within: 10) { engine.streamCount == 2 })
            engine.set("b", address: "10.0.0.2")
            try engine.tell("start", "b")
            #expect(changes.wait { $0.count == 2 })
            #expect(changes.last?.first?.isDraining == true)
            engine.set("a", address: "10.0.0.1", started: 9)
            try engine.tell("start", "a")
            // By the Engine's clock, that run began before the signal.
            try engine.tell("destroy", "b")
            #expect(changes.wait { $0.count == 1 && $0.first?.isDraining == true })
        }
    }

    @Test("without watching, it lists once")
    func once() async throws {
        let engine = ScriptedEngine()
        engine.set("a", address: "10.0.0.1")
        let server = try engine.server()
        defer { server.close() }
        var settings = Self.settings(server)
        settings.watch = false
        try await withDockerProvider(settings) { provider, changes in
            #expect(changes.wait { $0.count == 1 })
            #expect(engine.streamCount == 0)
            #expect(Waiting.until(within: 5) { provider.status.isConnected })
        }
        let listed = try await DockerProvider.list(settings, logger: Logger(label: "test"))
        #expect(listed.contributions.map(\.containerName) == ["a"])
        #expect(listed.warnings == [])
    }

    @Test("listing once says why it cannot")
    func listingFails() async throws {
        var settings = DockerProviderSettings()
        settings.endpoint = "unix://\(TemporaryFile.path())"
        let error = await #expect(throws: DockerEngineError.self) {
            _ = try await DockerProvider.list(settings, logger: Logger(label: "test"))
        }
        #expect(error?.problem == .absent)
        settings.endpoint = "ssh://host"
        await #expect(throws: DockerSettingError.self) {
            _ = try await DockerProvider.list(settings, logger: Logger(label: "test"))
        }
    }

    @Test("it stops at once, even while the Engine says nothing")
    func stopping() async throws {
        let server = try ScriptedBackend { connection, _ in _ = try connection.receiveAll() }
        defer { server.close() }
        let start = ContinuousClock.now
        try await withDockerProvider(Self.settings(server)) { _, _ in
            #expect(Waiting.until(within: 5) { server.connectionCount == 1 })
        }
        #expect(ContinuousClock.now - start < .seconds(5))
    }
}
