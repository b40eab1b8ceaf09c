import Configuration
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
    log: any LogHandler = SwiftLogNoOpLogHandler(),
    _ body: @escaping @Sendable (DockerProvider, DockerChanges) throws -> Void
) async throws {
    let changes = DockerChanges()
    let provider = try DockerProvider(
        settings, limits: limits, pace: pace, logger: Logger(label: "test") { _ in log },
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
        while await watch.take(at: .now) != nil {}
        await watch.inspected("a", containers[0], at: .now)
        await watch.received(DockerEvent(id: "a", .signal(.terminate), time: 1))
        #expect(changes.all.isEmpty)
        await watch.inspected("b", containers[1], at: .now)
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
        let log = LogLines()
        try await withDockerProvider(Self.settings(server), log: log) { provider, changes in
            #expect(changes.wait { $0.count == 1 })
            #expect(Waiting.until(within: 5) { provider.status.isConnected })
            server.close()
            engine.hangUp()
            #expect(Waiting.until(within: 5) { !provider.status.isConnected })
            // The next attempt, which fails otherwise, may follow at once.
            #expect(Waiting.until(within: 5) { log.count("ended its event stream") == 1 })
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
        pace.inventory.retry = .milliseconds(50)
        try await withDockerProvider(Self.settings(server), pace: pace) { _, changes in
            #expect(changes.wait { $0.map(\.containerName) == ["b"] })
            engine.set("a", address: "10.0.0.1")
            #expect(changes.wait { $0.count == 2 })
        }
    }

    @Test("a description that never comes, or breaks off, takes out no other container and ends no connection")
    func hangingInspection() async throws {
        let engine = ScriptedEngine()
        for id in ["a", "b", "c"] { engine.set(id, address: "10.0.0.1") }
        engine.state.withLock { ($0.hanging, $0.cut) = (["a"], ["b"]) }
        let server = try engine.server()
        defer { server.close() }
        var pace = DockerSession.Pace()
        pace.inventory.retry = .milliseconds(50)
        pace.inventory.timeout = .milliseconds(200)
        pace.tick = .milliseconds(20)
        try await withDockerProvider(Self.settings(server), pace: pace) { provider, changes in
            let begin = ContinuousClock.now
            #expect(changes.wait { $0.map(\.containerName) == ["c"] })
            engine.set("d", address: "10.0.0.1")
            try engine.tell("start", "d")
            #expect(changes.wait { $0.map(\.containerName) == ["c", "d"] })
            #expect(ContinuousClock.now - begin < .seconds(8))
            #expect(Waiting.until(within: 5) { engine.inspected.count { $0 == "b" } > 3 })
            #expect(provider.status.isConnected && provider.status.lossCount == 0)
            #expect(provider.status.warnings.count == 1 && provider.status.warnings[0].hasPrefix("container b: "))
            engine.state.withLock { $0.cut = [] }
            #expect(changes.wait { $0.map(\.containerName) == ["b", "c", "d"] })
        }
    }

    @Test("while the resolver says nothing, containers in host mode wait a moment, and no others")
    func silentResolver() async throws {
        let changes = DockerChanges()
        let (answers, answer) = AsyncStream.makeStream(of: String.self, bufferingPolicy: .bufferingOldest(1))
        let watch = DockerWatch(
            try DockerSelection(DockerProviderSettings()), status: DockerStatusBox(DockerProviderStatus(endpoint: "")),
            logger: Logger(label: "test"), lookUpHost: { await answers.first { _ in true } ?? "" },
            onChange: changes.add)
        let networks = ["n": DockerContainer.Addresses(ipv4: "10.0.0.1")]
        let containers = [
            DockerContainer(id: "a", name: "a", networks: networks),
            DockerContainer(id: "b", name: "b", networkMode: "host"),
        ]
        await watch.listed(containers.map { DockerListing(id: $0.id, state: $0.state) }, isNew: true)
        while await watch.take(at: .now) != nil {}
        for container in containers { await watch.inspected(container.id, container, at: .now) }
        #expect(changes.all.map { $0.map(\.host) } == [["10.0.0.1"]])
        let isSettled = await watch.isSettled(attempts: 1)
        #expect(!isSettled)
        let isTold = try await Threads.run { changes.wait { $0.map(\.host) == ["10.0.0.1", "127.0.0.1"] } }
        #expect(isTold)
        answer.yield("192.0.2.7")
        let isFound = try await Threads.run { changes.wait { $0.map(\.host) == ["10.0.0.1", "192.0.2.7"] } }
        #expect(isFound)
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
        pace.tick = .milliseconds(20)
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
            engine.state.withLock { $0.hanging = ["a"] }
            try engine.tell("update", "a")
            #expect(Waiting.until(within: 5) { engine.inspected.count == 2 })
            try engine.tell("kill", "a")
            #expect(changes.wait { $0.first?.isDraining == true })
            #expect(engine.inspected.count == 2)
            // The connection is lost, and the Engine says that it runs: it is the same run, and drains on.
            engine.state.withLock { $0.hanging = [] }
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

    @Test("without watching, it lists once, and once more when it is asked to")
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
            engine.set("b", address: "10.0.0.2")
            provider.listAgain()
            #expect(changes.wait { $0.count == 2 })
            #expect(engine.streamCount == 0)
        }
        engine.state.withLock { $0.containers["b"] = nil }
        let listed = try await DockerProvider.list(settings, logger: Logger(label: "test"))
        #expect(listed.contributions.map(\.containerName) == ["a"])
        #expect(listed.warnings == [])
    }

    @Test("without watching, one that cannot be looked at is tried a few times")
    func onceWithFailures() async throws {
        let engine = ScriptedEngine()
        engine.set("a", address: "10.0.0.1")
        engine.set("b", address: nil)
        let server = try engine.server()
        defer { server.close() }
        var settings = Self.settings(server)
        settings.watch = false
        var pace = DockerSession.Pace()
        pace.inventory.retry = .milliseconds(10)
        pace.tick = .milliseconds(10)
        try await withDockerProvider(settings, pace: pace) { provider, changes in
            #expect(changes.wait { $0.map(\.containerName) == ["a"] })
            #expect(Waiting.until(within: 5) { engine.inspected.count { $0 == "b" } == 4 })
            engine.set("b", address: "10.0.0.2")
            #expect(!Waiting.until(within: 0.3) { engine.inspected.count { $0 == "b" } > 4 })
            provider.listAgain()
            #expect(changes.wait { $0.count == 2 })
        }
    }

    @Test("a replica that starts takes what it finds within its patience, and its provider goes on with that")
    func firstListing() async throws {
        let engine = ScriptedEngine()
        for id in ["a", "b"] { engine.set(id, address: "10.0.0.1") }
        engine.state.withLock { $0.hanging = ["a"] }
        let server = try engine.server()
        defer { server.close() }
        let changes = DockerChanges()
        let provider = try DockerProvider(Self.settings(server), logger: Logger(label: "test"), onChange: changes.add)
        let first = await FirstListing.contributions(of: provider)
        #expect(first.map(\.containerName) == ["b"])
        engine.set("b", address: nil)
        let running = Task { try await provider.run() }
        let isConnected = try await Threads.run { Waiting.until(within: 10) { provider.status.isConnected } }
        #expect(isConnected && changes.all.map { $0.map(\.containerName) } == [["b"]])
        running.cancel()
        _ = await running.result
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

    @Test("it stops at once, even while nobody takes its connection")
    func stoppingWhileConnecting() async throws {
        // Nobody accepts, and the one place for a connection that waits is taken: the next is not answered.
        let listener = try FullListener()
        defer { withExtendedLifetime(listener) {} }
        var settings = DockerProviderSettings()
        settings.endpoint = "tcp://127.0.0.1:\(listener.port)"
        let start = ContinuousClock.now
        try await withDockerProvider(settings) { provider, _ in
            #expect(Waiting.until(within: 5) { listener.isTried } && provider.status.lastError == nil)
        }
        #expect(ContinuousClock.now - start < .seconds(3))
    }
}
