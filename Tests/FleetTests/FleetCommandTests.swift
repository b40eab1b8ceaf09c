import Foundation
import LimpetTestKit
import Testing

extension FleetTests {
    @Suite("limpet fleet")
    struct FleetCommandTests {
        private static func run(_ arguments: [String]) throws -> CommandOutcome {
            try CommandOutcome(of: ["fleet"] + arguments)
        }

        @Test("shows the replica that is asked, for people and for programs")
        func shows() async throws {
            try await withFleet(.init(replicas: 1, backends: 1, store: nil)) { fleet in
                let url = "http://127.0.0.1:\(fleet.replicas[0].adminPort)"
                let table = try await Threads.run { try Self.run(["--admin", url]) }
                #expect(table.end == .exited(0) && table.errors.isEmpty)
                let lines = table.output.split(separator: "\n")
                #expect(lines[0].split(separator: " ").first == "NAME")
                #expect(lines[1].hasPrefix("\(fleet.replicas[0].name) (asked)  "))
                #expect(table.output.contains("All configurations are the same.\n"))
                let json = try await Threads.run { try Self.run(["--json", "--admin", url]) }
                #expect(json.end == .exited(0) && json.errors.isEmpty)
                let object = try JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [String: Any]
                let replica = try #require((object?["replicas"] as? [[String: Any]])?.first)
                #expect(replica["name"] as? String == fleet.replicas[0].name && replica["self"] as? Bool == true)
                let configuration = try #require(replica["configuration"] as? String)
                #expect(configuration.utf8.count == 16 && lines[1].contains("  \(configuration)  "))
                #expect(object?["configurationsAgree"] as? Bool == true && object?["store"] is NSNull)
            }
        }

        /// What a replica could say, and why that is not well.
        private static let troubles: [(json: String, trouble: String)] = [
            (
                fleet(("aa", "live"), ("bb", "live")),
                "* This configuration differs from that of the replica that was asked."
            ),
            (fleet(("aa", "live"), ("aa", "down")), "  aa             down  "),
        ]

        private static func fleet(_ replicas: (configuration: String, lease: String)...) -> String {
            let list = replicas.enumerated().map { index, replica in
                """
                {"configuration":"\(replica.configuration)","down":[],"heard":0.5,"instance":"\(index)",\
                "lease":"\(replica.lease)","name":"r\(index)","self":\(index == 0),"version":"0.1.0","later":1}
                """
            }
            return "{\"replicas\":[\(list.joined(separator: ","))],\"store\":{\"available\":true},\"later\":[]}"
        }

        @Test("ends with 1 where replicas differ or one is cut off, having shown it", arguments: troubles.indices)
        func troubled(_ index: Int) async throws {
            let (json, trouble) = Self.troubles[index]
            let response = "HTTP/1.1 200 OK\r\nContent-Length: \(json.utf8.count)\r\nConnection: close\r\n\r\n" + json
            let server = try ScriptedBackend { connection, _ in
                _ = try connection.receive(until: "\r\n\r\n")
                try connection.send(response)
            }
            defer { server.close() }
            let url = "http://127.0.0.1:\(server.port)"
            let table = try await Threads.run { try Self.run(["--admin", url]) }
            #expect(table.end == .exited(1) && table.errors.isEmpty)
            #expect(table.output.contains(trouble), "\(table.output)")
            let program = try await Threads.run { try Self.run(["--json", "--admin", url]) }
            #expect(program.end == .exited(1) && program.errors.isEmpty && program.output == json + "\n")
        }

        @Test("replicas that are configured differently see it: in the log, the metrics and the table")
        func differing() async throws {
            try await withFleet { fleet in
                let metric = "limpet_fleet_configurations"
                func awaitMetric(_ count: Double) async throws {
                    let isSeen = try await Threads.run {
                        try Waiting.until(within: 10) {
                            try fleet.replicas.allSatisfy { try $0.metric(metric) == count }
                        }
                    }
                    #expect(isSeen)
                }
                try await awaitMetric(1)
                fleet.change { $0.unnamedBackends = ["b2"] }
                try await Threads.run { _ = try fleet.rollReplica(2) }
                try await awaitMetric(2)
                let url = "http://127.0.0.1:\(fleet.replicas[0].adminPort)"
                let table = try await Threads.run { try Self.run(["--admin", url]) }
                #expect(table.end == .exited(1) && table.output.contains("\nr2 "), "\(table.output)")
                let log = fleet.replicas[0].errorLog
                #expect(log.contains("different configurations") && log.contains("\"differing\":\"r2\""), "\(log)")
                fleet.change { $0.unnamedBackends = [] }
                try await Threads.run { _ = try fleet.rollReplica(2) }
                try await awaitMetric(1)
                #expect(fleet.replicas[0].errorLog.contains("the same configuration again"))
            }
        }

        @Test("says in one sentence, with the URL, that nobody answers there")
        func nobody() async throws {
            let url = "http://127.0.0.1:\(try LoopbackPort.free())"
            let outcome = try await Threads.run { try Self.run(["--admin", url]) }
            #expect(outcome.end == .exited(1) && outcome.output.isEmpty)
            #expect(outcome.errors == "Error: the admin listener \(url) cannot be reached: connection refused\n")
        }

        @Test(
            "ends with 2 where it is used wrongly",
            arguments: [["--admin", "8081"], ["--admin", "ftp://a"], ["--jsn"], ["now"]])
        func usage(_ arguments: [String]) async throws {
            let outcome = try await Threads.run { try Self.run(arguments) }
            #expect(outcome.end == .exited(2) && outcome.output.isEmpty)
            #expect(outcome.errors.contains("\nUsage: limpet fleet "), "\(outcome.errors)")
        }
    }
}
