import Foundation
import LimpetTestKit
import Testing

extension FleetTests {
    @Suite("limpet explain")
    struct ExplainCommandTests {
        private static let service = """
            http:
              routers: { all: { rule: "PathPrefix(`/`)", service: app } }
              services:
                app:
                  loadBalancer:
                    sticky: { header: X-Session-ID }
                    servers: [ { url: B0, name: b0 }, { url: B1, name: b1 }, { url: NOBODY, name: dead, weight: 0 } ]
            """

        private func explain(
            _ routed: RoutedReplica, _ session: String, _ more: String...
        ) throws -> CommandOutcome {
            try CommandOutcome(
                of: ["explain", "--config", "\(routed.directory)/r0.yml", "-H", "X-Session-ID: \(session)"] + more
                    + ["GET", "http://127.0.0.1:\(routed.replica.port)/cart"])
        }

        @Test("says where new sessions go, and by a running replica where known ones are, and it is so")
        func agrees() async throws {
            try await Threads.run {
                let routed = try RoutedReplica(
                    backends: 2, Self.service, settings: "fleet: { secret: \"\(Fleet.secret)\" }")
                defer { _ = routed.end() }
                let admin = "http://127.0.0.1:\(routed.replica.adminPort)"
                for index in 0..<10 {
                    let said = try explain(routed, "s\(index)")
                    #expect(said.end == .exited(0) && said.errors.isEmpty)
                    let served = try routed.backend("/cart", fields: ["X-Session-ID": "s\(index)"])
                    #expect(said.output.contains("answer     from \(served) (http://"), "\(said.output)")
                    let live = try explain(routed, "s\(index)", "--admin", admin)
                    #expect(
                        live.output.contains("now        bound to \(served), epoch 1, confirmed\n"), "\(live.output)")
                    #expect(live.output.contains("answer     from \(served) (http://"), "\(live.output)")
                }
            }
        }

        /// Of a session, asked of a replica.
        private static func explain(_ fleet: Fleet, _ session: String, at index: Int, _ more: String...) throws
            -> CommandOutcome
        {
            let replica = fleet.replicas[index]
            return try CommandOutcome(
                of: [
                    "explain", "--config", "\(fleet.directory)/r\(index).yml", "-H", "X-Session-ID: \(session)",
                    "--admin", "http://127.0.0.1:\(replica.adminPort)",
                ] + more + ["GET", "http://127.0.0.1:\(replica.port)/"])
        }

        @Test("a replica that never saw a session finds it in the store, changing nothing, and says when that is away")
        func looksInTheStore() async throws {
            try await withFleet(.init(replicas: 2)) { fleet in
                try await Threads.run {
                    let redis = try fleet.redis
                    let response = try HTTPConnection(port: fleet.ports[0]).exchange(
                        HTTPRequest(fields: ["X-Session-ID": "known"]))
                    let served = try response.servedBy()
                    let (key, value) = try #require(fleet.records().first)
                    try redis.command("PEXPIRE", key, "100000")
                    // Twice: what was found the first time was not kept.
                    for _ in 0..<2 {
                        let said = try Self.explain(fleet, "known", at: 1)
                        #expect(said.end == .exited(0) && said.errors.isEmpty)
                        #expect(
                            said.output.contains("now        bound to \(served), epoch 1, according to the store\n"),
                            "\(said.output)")
                        #expect(said.output.contains("answer     from \(served) (http://"), "\(said.output)")
                    }
                    let json = try Self.explain(fleet, "known", at: 1, "--json").output
                    #expect(
                        json.contains("\"source\" : \"store\"") && json.contains("\"store\" : \"asked\""), "\(json)")
                    #expect(try (1...100_000).contains(Int(redis.command("PTTL", key)) ?? -1))
                    // A replica vouches for what it has asked for since its channel was live.
                    let isVouchedFor = Waiting.until(within: 10) {
                        let request = HTTPRequest(fields: ["X-Session-ID": "known", "Connection": "close"])
                        _ = try? HTTPConnection(port: fleet.ports[0]).exchange(request)
                        let said = try? Self.explain(fleet, "known", at: 0).output
                        return said?.contains("now        bound to \(served), epoch 1, confirmed\n") ?? false
                    }
                    #expect(isVouchedFor)
                    let new = try Self.explain(fleet, "new", at: 1).output
                    #expect(new.contains("unknown to the replica and the store: a new session\n"), "\(new)")
                    #expect(try fleet.records() == [key: value])
                    redis.kill()
                    #expect(fleet.allUseStore(false, within: 10))
                    let away = try Self.explain(fleet, "known", at: 1)
                    #expect(away.end == .exited(0))
                    let standby = "bound to \(served), epoch 1, confirmed to another replica (standby)"
                    #expect(
                        away.output.contains("now        \(standby); the store is unavailable\n"), "\(away.output)")
                    let unknown = try Self.explain(fleet, "new", at: 1).output
                    #expect(unknown.contains("unknown to the replica; the store is unavailable\n"), "\(unknown)")
                }
            }
        }

        @Test("says of the README's example what the README says, and check finds nothing wrong with it")
        func readme() async throws {
            try await Threads.run {
                let directory = FileManager.default.temporaryDirectory
                    .appendingPathComponent("limpet-readme-\(UInt64.random(in: 0 ... .max))").path
                try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
                defer { try? FileManager.default.removeItem(atPath: directory) }
                let lines = try Self.readme.components(separatedBy: "\n")
                let example = try #require(Self.block(after: "## By hand", in: lines))
                let said = try #require(Self.block(after: "The last one prints:", in: lines))
                let secret = "\(directory)/secret"
                try TextFile.write(Fleet.secret, to: secret)
                try #require(example.contains("secretFile: secret"))
                try TextFile.write(
                    example.replacingOccurrences(of: "secretFile: secret", with: "secretFile: \(secret)"),
                    to: "\(directory)/shop.yml")
                let request = ["GET", "http://127.0.0.1:8000/cart"]
                let command = "    ./limpet explain --config shop.yml \(request.joined(separator: " "))"
                #expect(lines.contains(command))
                let explained = try CommandOutcome(
                    of: ["explain", "--config", "\(directory)/shop.yml"] + request
                ).calling("\(directory)/", "")
                #expect(explained.end == .exited(0))
                #expect(explained.output == said)
                let checked = try CommandOutcome(of: ["check", "--config", "\(directory)/shop.yml"])
                #expect(checked.end == .exited(0), "\(checked.output)")
            }
        }

        private static var readme: String {
            get throws {
                var root = URL(fileURLWithPath: #filePath)
                for _ in 0..<3 { root.deleteLastPathComponent() }
                return try TextFile.read(root.appendingPathComponent("README.md").path)
            }
        }

        /// What stands between the next two fences.
        private static func block(after line: String, in lines: [String]) -> String? {
            guard let start = lines.firstIndex(of: line),
                let opening = lines[start...].firstIndex(where: { $0.hasPrefix("```") }),
                let closing = lines[(opening + 1)...].firstIndex(of: "```")
            else { return nil }
            return lines[(opening + 1)..<closing].joined(separator: "\n") + "\n"
        }

        @Test("ends with 1 where Limpet answers or nobody is asked, and with 2 where it is used wrongly")
        func ends() async throws {
            try await Threads.run {
                let routed = try RoutedReplica(backends: 2, Self.service)
                defer { _ = routed.end() }
                let config = "\(routed.directory)/r0.yml"
                let refused = try CommandOutcome(
                    of: ["explain", "--config", config, "-H", "Content-Length: x", "GET", "http://a/"])
                #expect(refused.end == .exited(1) && refused.output.contains("answer     400 from Limpet: "))
                let nobody = try explain(routed, "s", "--admin", "http://127.0.0.1:\(try LoopbackPort.free())")
                #expect(nobody.end == .exited(1) && nobody.errors.contains("cannot be reached"))
                // Without a secret two processes know one session by two fingerprints.
                let stranger = try explain(routed, "s", "--admin", "http://127.0.0.1:\(routed.replica.adminPort)")
                #expect(stranger.output.hasSuffix("Therefore the replica cannot be asked about the session.\n"))
                #expect(!stranger.output.contains("now  "))
                let json = try explain(routed, "s", "--json")
                let object = try JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [String: Any]
                #expect((object?["router"] as? [String: Any])?["name"] as? String == "all")
                for wrong in [["GET", "nowhere"], ["GET"], ["-H", "x", "GET", "http://a/"], ["--endpoint", "x"]] + [
                    ["--entry-point", "none", "GET", "http://a/"]
                ] {
                    let outcome = try CommandOutcome(of: ["explain", "--config", config] + wrong)
                    #expect(outcome.end == .exited(2) && outcome.output.isEmpty)
                    #expect(outcome.errors.contains("\nUsage: limpet explain "), "\(outcome.errors)")
                }
            }
        }
    }
}
