import Foundation
import Logging
import Proxy
import Routing
import Synchronization
import Testing

@testable import Configuration
@testable import Control

@Suite("Reloading", .timeLimit(.minutes(1)))
struct ReloaderTests {
    /// A replica without a data plane.
    private final class Bench: Sendable {
        struct State {
            var main = Bench.main("/main")
            var provided = DynamicFiles()
            var applied: [Configuration] = []
            var refusal: SnapshotDiagnostic?
            /// Before the main file is read again.
            var onRead: @Sendable () -> Void = {}
        }

        let state = Mutex(State())
        let log = LogLines()

        static func main(_ path: String, more: String = "", throttle: String = "0") -> String {
            """
            entryPoints: { web: { address: ":0" } }
            providers: { providersThrottleDuration: \(throttle), file: { filename: nowhere } }
            \(more)
            http:
              routers: { main: { rule: "Path(`\(path)`)", service: s } }
              services: { s: { loadBalancer: { servers: [ { url: "http://10.0.0.1" } ] } } }
            """
        }

        /// A dynamic file with one router.
        static func file(_ path: String) -> String {
            "http: { routers: { dynamic: { rule: \"Path(`\(path)`)\", service: s } } }"
        }

        static let broken = "http:\n  routers:\n    dynamic: { rule: \"Pth(`/x`)\", service: s }\n"

        func say(_ text: String) {
            let file = SourceText(name: "d.yml", text: text, role: .dynamic)
            state.withLock { $0.provided = DynamicFiles(files: [file]) }
        }

        /// As it would be without its file provider, whose files are `provided`.
        private var main: SourceText {
            let yaml = state.withLock { $0.main }.replacing(", file: { filename: nowhere }", with: "")
            return SourceText(name: "m.yml", text: yaml, role: .main)
        }

        func readMain(_ context: HTTPContext) throws(ConfigurationRefusal) -> MainFile {
            state.withLock { $0.onRead }()
            return try MainFile(main, context, process: ReplicaConfiguration.process)
        }

        func apply(_ configuration: Configuration) throws(SnapshotDiagnostic) {
            if let refusal = state.withLock({ $0.refusal }) { throw refusal }
            state.withLock { $0.applied.append(configuration) }
        }

        /// The rules of each configuration that was served by.
        var rules: [[String]] {
            state.withLock { $0.applied }.map { $0.http.routers.map { $0.router.rule.text } }
        }

        func reloader() throws -> Reloader {
            let file = try ConfigurationFile(main, process: ReplicaConfiguration.process)
            return Reloader(
                running: file.configuration, inputs: .init(file), diagnostics: [],
                effects: .init(
                    readMain: { (context: HTTPContext) throws(ConfigurationRefusal) -> MainFile in
                        try self.readMain(context)
                    },
                    readProvided: { self.state.withLock { $0.provided } },
                    apply: { (configuration: Configuration) async throws(SnapshotDiagnostic) -> Void in
                        try self.apply(configuration)
                    }),
                logger: Logger(label: "test") { _ in self.log })
        }
    }

    /// With one change taken over just now, and an hour for which the next are gathered.
    private static func withinThrottle(_ body: (Bench, Reloader) async throws -> Void) async throws {
        let bench = Bench()
        bench.state.withLock { $0.main = Bench.main("/main", throttle: "1h") }
        try await with(bench) { bench, reloader in
            bench.say(Bench.file("/0"))
            await reloader.rereadFiles()
            try await until { bench.rules.count == 1 }
            try await body(bench, reloader)
        }
    }

    private static func with(_ bench: Bench = Bench(), _ body: (Bench, Reloader) async throws -> Void) async throws {
        let reloader = try bench.reloader()
        let running = Task { await reloader.run() }
        do { try await body(bench, reloader) } catch {
            running.cancel()
            throw error
        }
        running.cancel()
        await running.value
    }

    /// Until it is so; the suite's time limit is the end of all patience.
    private static func until(_ condition: () -> Bool) async throws {
        while !condition() { try await Task.sleep(for: .milliseconds(2)) }
    }

    @Test("a changed file is served by, and one that says the same is not read")
    func change() async throws {
        try await Self.with { bench, reloader in
            await reloader.rereadFiles()
            bench.say(Bench.file("/a"))
            await reloader.rereadFiles()
            try await Self.until { bench.rules.count == 1 }
            await reloader.rereadFiles()
            bench.say(Bench.file("/b"))
            await reloader.rereadFiles()
            try await Self.until { reloader.report.successes == 2 }
            #expect(bench.rules == [["Path(`/a`)", "Path(`/main`)"], ["Path(`/b`)", "Path(`/main`)"]])
            #expect(reloader.report.isSound && reloader.report.failures == 0)
            #expect(bench.log.count("The configuration was reloaded.") == 2)
        }
    }

    @Test("a file with mistakes changes nothing, each mistake is said with its place, and once")
    func broken() async throws {
        try await Self.with { bench, reloader in
            bench.say(Bench.broken)
            await reloader.rereadFiles()
            try await Self.until { reloader.report.failures == 1 }
            await reloader.rereadFiles()
            #expect(bench.rules.isEmpty && !reloader.report.isSound)
            #expect(reloader.report.diagnostics.map(\.place) == [.init(line: 3, column: 22)])
            #expect(
                bench.log.count("error The configuration has an error. mistake=d.yml:3:22: http.routers.dynamic.rule: ")
                    == 1)
            bench.say(Bench.file("/a"))
            await reloader.rereadFiles()
            try await Self.until { reloader.report.isSound }
            #expect(bench.rules.count == 1 && reloader.report.diagnostics.isEmpty && reloader.report.failures == 1)
        }
    }

    @Test("a broken file that is put back as it was is right again, without a swap")
    func putBack() async throws {
        try await Self.with { bench, reloader in
            bench.say(Bench.broken)
            await reloader.rereadFiles()
            try await Self.until { !reloader.report.isSound }
            bench.state.withLock { $0.provided = DynamicFiles() }
            await reloader.rereadFiles()
            try await Self.until { reloader.report.isSound }
            #expect(bench.rules.isEmpty && reloader.report.successes == 0)
        }
    }

    @Test("a file that cannot be read is a mistake, and what it said before stays")
    func gone() async throws {
        try await Self.with { bench, reloader in
            bench.say(Bench.file("/a"))
            await reloader.rereadFiles()
            try await Self.until { reloader.report.successes == 1 }
            bench.state.withLock { $0.provided = DynamicFiles.read(.file("/nowhere/d.yml")) }
            await reloader.rereadFiles()
            try await Self.until { reloader.report.failures == 1 }
            #expect(bench.rules.count == 1)
            #expect(reloader.unreadable.count == 1)
            #expect(bench.log.count("mistake=/nowhere/d.yml: cannot be read: no such file or directory") == 1)
        }
    }

    @Test("on demand the main file is read too; a changed static part is named and has no effect")
    func demand() async throws {
        try await Self.with { bench, reloader in
            bench.state.withLock {
                $0.main = Bench.main(
                    "/other",
                    more: "log: { level: debug }\naccessLog: {}\n"
                        + "serversTransport: { forwardingTimeouts: { dialTimeout: 9s } }")
            }
            reloader.demand()
            try await Self.until { reloader.report.successes == 1 }
            #expect(bench.rules == [["Path(`/other`)"]])
            #expect(reloader.running.log.level == .info && reloader.running.accessLog == nil)
            // That of the start counts for all services, until a restart.
            #expect(
                bench.state.withLock { $0.applied.map { $0.http.services[0].transport.dialTimeout } } == [.seconds(1)])
            #expect(
                bench.log.count("Changed settings take effect after a restart. keys=serversTransport, log, accessLog")
                    == 1)
        }
    }

    @Test("on demand a main file with mistakes changes nothing, and what is wrong is said each time")
    func brokenMain() async throws {
        try await Self.with { bench, reloader in
            bench.state.withLock { $0.main = Bench.main("/other", more: "lgo: {}") }
            for count in 1...2 {
                reloader.demand()
                try await Self.until { reloader.report.failures == count }
            }
            #expect(bench.rules.isEmpty)
            #expect(bench.log.count("mistake=m.yml:3:1: lgo: ") == 2)
            bench.say(Bench.file("/a"))
            await reloader.rereadFiles()
            try await Self.until { bench.rules.count == 1 }
            #expect(bench.rules == [["Path(`/a`)", "Path(`/main`)"]])
            try await Self.until { reloader.report.successes == 1 }
            #expect(!reloader.report.isSound && reloader.report.diagnostics.count == 1)
        }
    }

    @Test(
        "changes that come faster than the throttle are read together, the last one in the end; a demand does not wait")
    func throttle() async throws {
        try await Self.withinThrottle { bench, reloader in
            for number in 1...9 {
                bench.say(Bench.file("/\(number)"))
                await reloader.rereadFiles()
            }
            reloader.demand()
            try await Self.until { bench.rules.count == 2 }
            #expect(bench.rules.last == ["Path(`/9`)", "Path(`/main`)"])
        }
    }

    @Test("what cannot be served though it reads well is refused like a mistake")
    func unservable() async throws {
        try await Self.with { bench, reloader in
            bench.state.withLock { $0.refusal = SnapshotDiagnostic(description: "service \"s\": two hashes meet") }
            bench.say(Bench.file("/a"))
            await reloader.rereadFiles()
            try await Self.until { reloader.report.failures == 1 }
            #expect(bench.log.count("service \"s\": two hashes meet") == 1)
            #expect(reloader.running.http.routers.count == 1)
        }
    }

    @Test("of many mistakes the first twenty are said, and how many more there are")
    func many() async throws {
        try await Self.with { bench, reloader in
            let routers = (10..<40).map { "    r\($0): { rule: \"Pth(`/`)\", service: s }" }
            bench.say("http:\n  routers:\n" + routers.joined(separator: "\n"))
            await reloader.rereadFiles()
            try await Self.until { reloader.report.failures == 1 }
            try await Self.until { bench.log.count("Further configuration problems are not logged. count=10") == 1 }
            #expect(bench.log.count("The configuration has an error. mistake=") == 20)
        }
    }

    // MARK: Sources that are wrong beside others that are right

    private static let container = ReloadSourcesTests.container("c")

    @Test("a container that came within the throttle is served though the main file is then found wrong on demand")
    func demandWithBrokenMain() async throws {
        try await Self.withinThrottle { bench, reloader in
            reloader.containersChanged([Self.container])
            bench.state.withLock { $0.main = Bench.main("/main", more: "lgo: {}", throttle: "1h") }
            reloader.demand()
            try await Self.until { reloader.report.failures == 1 && bench.rules.count == 2 }
            #expect(bench.rules.last?.contains("Host(`c`)") == true)
            #expect(!reloader.report.isSound && reloader.report.diagnostics.map(\.source) == [.file("m.yml")])
        }
    }

    @Test("a mistake of a dynamic file is not the main file's, and is gone when it is mended")
    func demandWithBrokenFile() async throws {
        try await Self.with { bench, reloader in
            bench.say(Bench.broken)
            reloader.demand()
            try await Self.until { reloader.report.failures == 1 }
            bench.say(Bench.file("/a"))
            await reloader.rereadFiles()
            try await Self.until { bench.rules.count == 1 && reloader.report.isSound }
            #expect(reloader.report.diagnostics.isEmpty && reloader.report.failures == 1)
        }
    }

    @Test("a main file whose names lead to files that are wrong is right as soon as these are")
    func mainBesideBrokenFile() async throws {
        try await Self.with { bench, reloader in
            bench.say("http: { services: { x: { loadBalancer: { servers: [ { url: 7 } ] } } } }")
            bench.state.withLock { $0.main = Bench.main("/other").replacing("service: s", with: "service: x") }
            reloader.demand()
            try await Self.until { reloader.report.failures == 1 }
            bench.say("http: { services: { x: { loadBalancer: { servers: [ { url: \"http://10.0.0.2\" } ] } } } }")
            await reloader.rereadFiles()
            try await Self.until { reloader.report.isSound }
            #expect(bench.rules == [["Path(`/other`)"]])
        }
    }

    @Test("what is wrong with a container is said and reported while files are wrong too")
    func containersBesideBrokenFile() async throws {
        try await Self.with { bench, reloader in
            bench.say(Bench.broken)
            await reloader.rereadFiles()
            try await Self.until { reloader.report.failures == 1 }
            var wrong = Self.container
            wrong.labels = ["traefik.http.routers.c.rule": "Pth(`/`)"]
            reloader.containersChanged([wrong])
            try await Self.until { reloader.report.mistakeCount == 2 }
            #expect(bench.log.count("container c: traefik.http.routers.c.rule") == 1)
            #expect(reloader.report.diagnostics.map(\.source) == [.file("d.yml"), .container("c")])
            reloader.containersChanged([Self.container])
            try await Self.until { bench.rules.count == 1 }
            #expect(reloader.report.diagnostics.map(\.source) == [.file("d.yml")] && !reloader.report.isSound)
        }
    }

    @Test("a file with users is read when the files are, and not when a container comes")
    func usersFile() async throws {
        try await TemporaryDirectory.with { directory in
            let hash = "{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g="
            try directory.write("one:\(hash)\n", to: "users")
            let middleware = "middlewares: { auth: { basicAuth: { usersFile: \(directory.path("users")) } } }"
            let bench = Bench()
            bench.say("http: { \(middleware), routers: { a: { rule: Path(`/a`), service: s, middlewares: [auth] } } }")
            @Sendable func users(_ reloader: Reloader) -> [String] {
                for case .basicAuth(let auth) in reloader.running.http.routers.flatMap(\.middlewares) {
                    return auth.users.map(\.name)
                }
                return []
            }
            try await Self.with(bench) { bench, reloader in
                await reloader.rereadFiles()
                try await Self.until { users(reloader) == ["one"] }
                try directory.remove("users")
                reloader.containersChanged([Self.container])
                try await Self.until { bench.rules.count == 2 }
                try directory.write("half", to: "users")
                reloader.containersChanged([])
                try await Self.until { bench.rules.count == 3 }
                #expect(reloader.report.failures == 0 && users(reloader) == ["one"])
                try directory.write("two:\(hash)\n", to: "users")
                reloader.demand()
                try await Self.until { users(reloader) == ["two"] }
            }
        }
    }

    @Test("it ends at once though the file system does not answer")
    func hangingFiles() async throws {
        let bench = Bench()
        let isReading = Mutex(false)
        let ends = Mutex(false)
        bench.state.withLock {
            $0.onRead = {
                isReading.withLock { $0 = true }
                while !ends.withLock({ $0 }) { usleep(1000) }
            }
        }
        try await Self.with(bench) { _, reloader in
            reloader.demand()
            try await Self.until { isReading.withLock { $0 } }
        }
        ends.withLock { $0 = true }
    }
}
