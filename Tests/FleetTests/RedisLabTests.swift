import Foundation
import LimpetTestKit
import Testing

extension FleetTests {
    @Suite("scripts/redis-lab")
    struct RedisLabTests {
        private static let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("scripts/redis-lab").path

        private let lab = TemporaryFile.path()
        private let port: Int

        init() throws { port = try LoopbackPort.free() }

        private func run(_ words: String..., path: String? = nil) throws -> (end: ChildProcess.End?, text: String) {
            var environment = ["LIMPET_LAB=\(lab)", "LIMPET_LAB_PORT=\(port)"]
            if let path { environment.append("PATH=\(path)") }
            let process = try ChildProcess(
                ["/usr/bin/env"] + environment + ["/bin/bash", Self.script] + words, log: TemporaryFile.path())
            let end = process.waitForEnd(within: 60)
            return (end, try TextFile.read(process.outputPath) + TextFile.read(process.errorPath))
        }

        private var pid: String? { try? TextFile.read("\(lab)/tls/redis.pid").trimmingCharacters(in: .newlines) }

        @Test("tls: what it prints serves a replica over TLS; up twice is once, and down leaves nothing")
        func tls() async throws {
            try await Threads.run {
                let up = try run("tls", "up")
                try #require(up.end == .exited(0), "\(up.text)")
                defer { _ = try? run("tls", "down") }
                #expect(up.text.contains("endpoints: [\"rediss://localhost:\(port)\"]"))
                let first = try #require(pid)
                #expect(try run("tls", "up").end == .exited(0))
                #expect(pid == first)

                let printed = try TextFile.read("\(lab)/tls/limpet.yml")
                let replica = try LimpetProcess("r0", in: lab) { port, admin in
                    printed.replacingOccurrences(
                        of: "web: { address: \"127.0.0.1:8000\" }",
                        with: "web: { address: \"127.0.0.1:\(port)\" }, admin: { address: \"127.0.0.1:\(admin)\" }")
                }
                defer { replica.process.kill() }
                #expect(
                    Waiting.until(within: 10) {
                        replica.usesStore && (try? replica.metric("limpet_channel_live")) == 1
                    })
                replica.process.kill()

                #expect(try run("tls", "down").end == .exited(0))
                #expect(!FileManager.default.fileExists(atPath: "\(lab)/tls"))
                #expect(!FileManager.default.fileExists(atPath: "/proc/\(first)"))
                #expect(try run("tls", "down").end == .exited(0))
            }
        }

        @Test(
            "sentinel: what it prints serves a replica, which follows a fail-over; down ends servers that are frozen, too"
        )
        func sentinel() async throws {
            try await Threads.run {
                let up = try run("sentinel", "up")
                try #require(up.end == .exited(0), "\(up.text)")
                defer { _ = try? run("sentinel", "down") }
                #expect(up.text.contains("sentinel: { masterName: mymaster }"))
                #expect(try run("sentinel", "up").end == .exited(0))
                let first = try TextFile.read("\(lab)/sentinel/redis-0.pid").trimmingCharacters(in: .newlines)

                let printed = try TextFile.read("\(lab)/sentinel/limpet.yml")
                let replica = try LimpetProcess("r0", in: lab) { port, admin in
                    printed.replacingOccurrences(
                        of: "web: { address: \"127.0.0.1:8000\" }",
                        with: "web: { address: \"127.0.0.1:\(port)\" }, admin: { address: \"127.0.0.1:\(admin)\" }")
                }
                defer { replica.process.kill() }
                func uses(_ port: Int) -> Bool {
                    replica.usesStore
                        && (try? replica.metric("limpet_store_primary_info{address=\"127.0.0.1:\(port)\"}")) == 1
                }
                #expect(Waiting.until(within: 10) { uses(port) })
                kill(try #require(Int32(first)), SIGSTOP)
                // A vote that fails is repeated after 20 s.
                #expect(Waiting.until(within: 60) { uses(port + 1) || uses(port + 2) })
                replica.process.kill()

                #expect(try run("sentinel", "down").end == .exited(0))
                #expect(!FileManager.default.fileExists(atPath: "\(lab)/sentinel"))
                #expect(!FileManager.default.fileExists(atPath: "/proc/\(first)"))
            }
        }

        @Test("what is missing is named, a folder of somebody else is left alone, and so is a taken port")
        func refusals() async throws {
            try await Threads.run {
                let bare = TemporaryFile.path()
                try FileManager.default.createDirectory(atPath: bare, withIntermediateDirectories: true)
                for tool in ["dirname", "cat", "readlink", "sed"] {
                    try FileManager.default.createSymbolicLink(
                        atPath: "\(bare)/\(tool)", withDestinationPath: "/usr/bin/\(tool)")
                }
                let missing = try run("tls", "up", path: bare)
                #expect(missing.end == .exited(1) && missing.text.contains("missing: apt-get install openssl"))
                #expect(try run("tls").end == .exited(2))

                try FileManager.default.createDirectory(atPath: "\(lab)/tls", withIntermediateDirectories: true)
                try TextFile.write("mine", to: "\(lab)/tls/notes")
                #expect(try run("tls", "up").end == .exited(1))
                #expect(try run("tls", "down").end == .exited(0))
                #expect(try TextFile.read("\(lab)/tls/notes") == "mine")
                try FileManager.default.removeItem(atPath: "\(lab)/tls")

                let other = try RedisServer(port: port)
                let taken = try run("tls", "up")
                #expect(taken.end == .exited(1) && taken.text.contains("the port \(port) is taken"))
                #expect(try other.command("PING") == "PONG")
            }
        }
    }
}
