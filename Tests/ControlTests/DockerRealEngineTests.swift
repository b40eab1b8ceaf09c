import Configuration
import LimpetTestKit
import Logging
import NIOCore
import Testing

@testable import Control

@Suite(
    "The Docker provider, with a real Engine", .serialized, .timeLimit(.minutes(3)),
    .enabled(if: DockerTestEngine.obstacle == nil, "\(DockerTestEngine.obstacle ?? "")"))
struct DockerRealEngineTests {
    private typealias Options = DockerTestEngine.Options

    /// One Engine and a provider that follows it.
    private static func follow(
        _ change: (inout DockerProviderSettings) -> Void = { _ in },
        _ body: @escaping @Sendable (DockerTestEngine, DockerProvider, DockerChanges) throws -> Void
    ) async throws {
        try await withEngine { engine, settings in
            var settings = settings
            change(&settings)
            try await withDockerProvider(settings) { provider, changes in
                #expect(changes.wait { _ in true })
                try body(engine, provider, changes)
            }
        }
    }

    /// One Engine, ended whatever happens, and settings with its endpoint.
    private static func withEngine(
        _ body: (DockerTestEngine, DockerProviderSettings) async throws -> Void
    ) async throws {
        let engine = try await Threads.run { try DockerTestEngine() }
        var settings = DockerProviderSettings()
        settings.endpoint = engine.endpoint
        do {
            try await body(engine, settings)
        } catch {
            try await Threads.run { engine.end() }
            throw error
        }
        try await Threads.run { engine.end() }
    }

    private static func options(_ change: (inout Options) -> Void) -> Options {
        var options = Options()
        change(&options)
        return options
    }

    @Test("containers are found with their labels, ports, names and addresses")
    func listing() async throws {
        try await Self.follow({ $0.constraints = "!LabelRegex(`tier`, `^hid`)" }) { engine, provider, changes in
            #expect(changes.last == [])
            let labels = ["tier": "web", "com.docker.compose.project": "shop", "com.docker.compose.service": "web"]
            let id = try engine.run(
                "shop_web_1", DockerTestEngine.obedient,
                Self.options { options in
                    options.labels = labels
                    options.exposedPorts = ["8080/tcp", "90/udp", "80/tcp"]
                })
            let address = try engine.address(of: id)
            #expect(changes.wait { $0.count == 1 })
            let found = try #require(changes.last?.first)
            let expected = DockerContribution(
                containerName: "shop_web_1", containerID: id, created: found.created, labels: labels, host: address,
                exposedPorts: [80, 8080], isDraining: false, defaultName: "web-shop", defaultRule: "Host(`web-shop`)")
            #expect(found == expected)
            #expect(address?.isEmpty == false)
            #expect(found.created > 1_700_000_000)

            try engine.run("hidden", DockerTestEngine.obedient, Self.options { $0.labels = ["tier": "hidden"] })
            try engine.run("machine", DockerTestEngine.obedient, Self.options { $0.networkMode = "host" })
            try engine.run("guest", DockerTestEngine.obedient, Self.options { $0.networkMode = "container:\(id)" })
            #expect(changes.wait { $0.count == 3 })
            #expect(changes.last?.map(\.containerName) == ["shop_web_1", "machine", "guest"])
            #expect(changes.last?.map(\.host) == [address, DockerHostAddress.loopback, address])
            #expect(provider.status.containerCount == 4)
            try engine.rename(id, to: "renamed")
            #expect(changes.wait { $0.first?.containerName == "renamed" })
        }
    }

    @Test("a container that is stopped drains before it is gone, and is itself again when it is started")
    func stop() async throws {
        try await Self.follow { engine, _, changes in
            let id = try engine.run("web", DockerTestEngine.obedient)
            #expect(changes.wait { $0.first?.isDraining == false })
            let address = try #require(try engine.address(of: id))
            // It minds that no more than the program does.
            try engine.kill(id, signal: "HUP")
            try engine.stop(id)
            #expect(changes.wait { $0.isEmpty })
            #expect(changes.history(of: "web") == ["-", address, "drains", "-"])
            try engine.start(id)
            #expect(changes.wait { $0.first?.isDraining == false })
            try engine.remove(id)
            #expect(changes.wait { $0.isEmpty })
            #expect(changes.history(of: "web").prefix(6) == ["-", address, "drains", "-", address, "drains"])
        }
    }

    @Test("its own signal to stop drains a container, and one that does not end drains on, until it is started again")
    func ownSignal() async throws {
        try await Self.follow { engine, _, changes in
            let id = try engine.run(
                "web", ["/bin/sh", "-c", "trap '' USR1 TERM; while :; do sleep 100 & wait $!; done"],
                Self.options { $0.stopSignal = "SIGUSR1" })
            #expect(changes.wait { $0.first?.isDraining == false })
            try engine.kill(id, signal: "USR2")
            try engine.kill(id, signal: "USR1")
            #expect(changes.wait { $0.first?.isDraining == true })
            try engine.request("POST", "/containers/\(id)/restart?t=0")
            #expect(changes.wait { $0.first?.isDraining == false })
        }
    }

    @Test("a container that is paused drains until it goes on")
    func pause() async throws {
        try await Self.follow { engine, _, changes in
            let id = try engine.run("web", DockerTestEngine.obedient)
            #expect(changes.wait { $0.first?.isDraining == false })
            try engine.pause(id)
            #expect(changes.wait { $0.first?.isDraining == true })
            #expect(changes.last?.first?.host != nil)
            try engine.unpause(id)
            #expect(changes.wait { $0.first?.isDraining == false })
        }
    }

    @Test("a container with a health check counts once it has been healthy, and is unhealthy afterwards, not gone")
    func health() async throws {
        try await Self.follow { engine, _, changes in
            let id = try engine.run(
                "web", DockerTestEngine.obedient,
                Self.options { $0.healthCheck = ["/usr/bin/test", "-e", "/tmp/well"] })
            try engine.run("other", DockerTestEngine.obedient)
            #expect(changes.wait { $0.map(\.containerName) == ["other"] })
            try engine.execute(["/usr/bin/touch", "/tmp/well"], in: id)
            #expect(changes.wait { $0.count == 2 })
            try engine.execute(["/usr/bin/rm", "/tmp/well"], in: id)
            #expect(changes.wait { $0.first { $0.containerName == "web" }?.isUnhealthy == true })
            #expect(changes.last?.count == 2)
            try engine.execute(["/usr/bin/touch", "/tmp/well"], in: id)
            #expect(changes.wait { $0.count == 2 && $0.allSatisfy { !$0.isUnhealthy } })
        }
    }

    @Test("a network that a container joins, and one that it leaves, are seen")
    func networks() async throws {
        try await Self.follow({ $0.network = "second" }) { engine, provider, changes in
            try engine.createNetwork("second")
            let id = try engine.run("web", DockerTestEngine.obedient)
            #expect(changes.wait { $0.count == 1 })
            let first = try engine.address(of: id)
            #expect(changes.last?.first?.host == first)
            #expect(provider.status.warnings.first?.contains("no address in the network \"second\"") == true)
            try engine.connect(id, to: "second")
            let second = try engine.address(of: id, in: "second")
            #expect(changes.wait { $0.first?.host == second })
            #expect(first != second)
            #expect(Waiting.until(within: 5) { provider.status.warnings.isEmpty })
            try engine.disconnect(id, from: "second")
            #expect(changes.wait { $0.first?.host == first })
        }
    }

    @Test("an Engine that is started again is found at once, and until then nothing changes")
    func restart() async throws {
        try await Self.follow { engine, provider, changes in
            let id = try engine.run("web", DockerTestEngine.obedient, Self.options { $0.isRestarted = true })
            let passing = try engine.run("passing", DockerTestEngine.obedient)
            #expect(changes.wait { $0.count == 2 })
            // As if it had crashed: its containers run on.
            engine.kill()
            #expect(Waiting.until(within: 5) { !provider.status.isConnected })
            #expect(changes.last?.map(\.containerID) == [id, passing])
            #expect(changes.last?.contains { $0.isDraining } == false)
            let count = changes.all.count
            #expect(Waiting.until(within: 10) { provider.status.lastError?.contains("reached") == true })
            #expect(changes.all.count == count)
            try engine.start()
            // It ends those that it cannot take over, and starts those that are to be.
            #expect(changes.wait { $0.map(\.containerID) == [id] && $0.first?.isDraining == false })
            #expect(Waiting.until(within: 5) { provider.status.isConnected })
            #expect(provider.status.lossCount == 1)
        }
    }

    @Test("an Engine that hangs is given up, and heard again once it goes on")
    func hanging() async throws {
        try await Self.withEngine { engine, settings in
            var pace = DockerSession.Pace()
            pace.tick = .milliseconds(100)
            pace.listing = .milliseconds(100)
            var limits = DockerEngine.Limits()
            limits.head = .seconds(1)
            try await withDockerProvider(settings, pace: pace, limits: limits) { provider, changes in
                try engine.run("web", DockerTestEngine.obedient)
                #expect(changes.wait { $0.count == 1 })
                engine.freeze()
                #expect(Waiting.until(within: 10) { !provider.status.isConnected })
                #expect(provider.status.lastError?.contains("did not answer /containers/json within 1 s") == true)
                #expect(changes.last?.count == 1)
                engine.thaw()
                try engine.run("more", DockerTestEngine.obedient)
                #expect(changes.wait { $0.count == 2 })
            }
        }
    }

    @Test("a container that was told to end before we came drains")
    func toldBefore() async throws {
        try await Self.withEngine { engine, settings in
            try await Threads.run {
                // The first process of a container has no default for it.
                let id = try engine.run("stubborn", ["/bin/sleep", "100"])
                try engine.kill(id, signal: "TERM")
                try engine.run("web", DockerTestEngine.obedient)
            }
            try await withDockerProvider(settings) { _, changes in
                #expect(changes.wait { $0.map(\.isDraining) == [true, false] })
            }
        }
    }

    @Test("the Engine may come after us: its socket is found as soon as it is there")
    func late() async throws {
        try await Self.withEngine { engine, settings in
            try await Threads.run {
                try engine.run("web", DockerTestEngine.obedient, Self.options { $0.isRestarted = true })
                engine.stop()
            }
            try await withDockerProvider(settings) { provider, changes in
                #expect(Waiting.until(within: 5) { provider.status.lastError?.contains("does not exist") == true })
                #expect(changes.all.isEmpty)
                try engine.start()
                #expect(changes.wait { $0.map(\.containerName) == ["web"] })
            }
        }
    }

    @Test("the containers are listed once for whoever checks a configuration")
    func once() async throws {
        try await Self.withEngine { engine, settings in
            try await Threads.run {
                try engine.run(
                    "web", DockerTestEngine.obedient, Self.options { $0.labels = ["traefik.enable": "false"] })
                try engine.run(
                    "other", DockerTestEngine.obedient, Self.options { $0.labels = ["traefik.docker.lbswarm": "true"] })
            }
            let listed = try await DockerProvider.list(settings, logger: Logger(label: "test"))
            #expect(listed.contributions.map(\.containerName) == ["other"])
            #expect(listed.warnings.count == 1)
        }
    }
}
