import Foundation
import LimpetTestKit
import Testing

extension FleetTests {
    @Suite("limpet check")
    struct CheckTests {
        /// Runs `check` with these files beside it; `DIR` stands for where they are, there and in the output.
        private static func check(_ files: [String: String], _ arguments: String...) async throws -> CommandOutcome {
            try await Threads.run {
                let directory = FileManager.default.temporaryDirectory
                    .appendingPathComponent("limpet-check-\(UInt64.random(in: 0 ... .max))")
                try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
                defer { try? FileManager.default.removeItem(at: directory) }
                for (name, text) in files {
                    let text = text.replacingOccurrences(of: "DIR", with: directory.path)
                    try TextFile.write(text, to: directory.appendingPathComponent(name).path)
                }
                let command = arguments.map { $0.replacingOccurrences(of: "DIR", with: directory.path) }
                return try CommandOutcome(of: ["check"] + command).calling(directory.path, "DIR")
            }
        }

        private static let service =
            "http: { services: { a: { loadBalancer: { servers: [{ url: \"http://a\" }] } } } }\n"
        private static let router = "[http.routers.r]\nrule = \"Path(`/`)\"\nservice = \"a\"\nentryPoints = [\"web\"]\n"

        @Test("takes a file with those that it names, and ends with 0 where all is right")
        func main() async throws {
            let main = "providers: { file: { directory: DIR/dynamic } }\n"
            let outcome = try await Self.check(["main.yml": main], "--config", "DIR/main.yml")
            #expect(outcome.end == .exited(1))
            #expect(
                outcome.output == "DIR/main.yml:1:33: providers.file.directory: DIR/dynamic cannot be read: "
                    + "no such file or directory\nDIR/main.yml: 1 error\n")
            let file = "providers: { file: { filename: DIR/r.toml } }\n\(Self.service)"
            let right = try await Self.check(["main.yml": file, "r.toml": Self.router], "--config", "DIR/main.yml")
            #expect(right.end == .exited(0) && right.errors.isEmpty)
            #expect(right.output == "DIR/main.yml: ok: 1 entry point, 1 router, 1 service, 1 backend\n")
        }

        @Test("takes dynamic files and directories, and ends with 1 where a file has a mistake")
        func paths() async throws {
            let files = ["a.yml": Self.service, "r.toml": Self.router]
            let right = try await Self.check(files, "DIR")
            #expect(right.end == .exited(0) && right.output == "DIR: ok: 1 router, 1 service, 1 backend\n")
            let wrong = try await Self.check(files, "DIR/r.toml")
            #expect(wrong.end == .exited(1))
            #expect(
                wrong.output
                    == "DIR/r.toml:3:11: http.routers.r.service: service a is not defined\nDIR/r.toml: 1 error\n")
        }

        @Test("reads a pipe once, also where containers are asked for")
        func pipe() async throws {
            try await Threads.run {
                let engine = try ScriptedBackend { connection, _ in
                    let head = try connection.receive(until: "\r\n\r\n")
                    let body = head.contains(" /version ") ? #"{"ApiVersion":"1.41"}"# : "[]"
                    try connection.send("HTTP/1.1 200 OK\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
                }
                defer { engine.close() }
                let log = FileManager.default.temporaryDirectory
                    .appendingPathComponent("limpet-pipe-\(UInt64.random(in: 0 ... .max))").path
                let command = "echo 'htp: {}' | \(try LimpetProgram.path()) check --config /dev/stdin --docker"
                let process = try ChildProcess(
                    ["/bin/sh", "-c", command + " --endpoint tcp://127.0.0.1:\(engine.port)"], log: log)
                let end = process.waitForEnd(within: 60)
                process.kill()
                let output = try TextFile.read(process.outputPath)
                for path in [process.outputPath, process.errorPath] { try FileManager.default.removeItem(atPath: path) }
                #expect(end == .exited(1))
                #expect(output.contains("/dev/stdin:1:1: htp: unknown key"), "\(output)")
            }
        }

        @Test("ends with 2 where it is asked for both kinds, or nothing")
        func usage() async throws {
            let outcomes = [try await Self.check([:]), try await Self.check([:], "--config", "a", "b")]
            for outcome in outcomes {
                #expect(outcome.end == .exited(2) && outcome.output.isEmpty && outcome.errors.contains("Usage:"))
            }
        }

        /// Of an optimised build, which `LIMPET_RELEASE_BIN` names.
        @Test(
            "reads 1,000 routers and 5,000 servers in less than 600 ms",
            .enabled(if: ProcessInfo.processInfo.environment["LIMPET_MEASURE"] != nil, "LIMPET_MEASURE is not set"),
            .enabled(if: LimpetProgram.releasePath != nil, "LIMPET_RELEASE_BIN is not set"))
        func speed() async throws {
            let servers = { (service: Int) in
                (0..<5).map { "{ url: \"http://10.\(service / 250).\(service % 250).\($0):80\", name: w\($0) }" }
                    .joined(separator: ", ")
            }
            let routers = (0..<1000).map { "    r\($0): { rule: \"Host(`h\($0).example`)\", service: s\($0) }\n" }
            let services = (0..<1000).map { "    s\($0): { loadBalancer: { servers: [\(servers($0))] } }\n" }
            let yaml = "http:\n  routers:\n\(routers.joined())  services:\n\(services.joined())"
            var times: [Double] = []
            for _ in 0..<5 {
                let outcome = try await Self.check(["big.yml": yaml], "DIR/big.yml")
                #expect(outcome.output == "DIR/big.yml: ok: 1000 routers, 1000 services, 5000 backends\n")
                times.append(outcome.seconds * 1000)
            }
            let milliseconds = times.sorted().map { Int($0) }
            print("check of 1,000 routers and 5,000 servers, ms: \(milliseconds)")
            #expect(milliseconds[2] < 600)
        }
    }
}
