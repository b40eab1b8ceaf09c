import LimpetTestKit
import Testing

extension FleetTests {
    /// The package `h2` with its checks off, at both ends of a replica.
    @Suite("HTTP/2 peers that break its rules")
    struct HTTP2PeerTests {
        private static let modules = "h2, hpack, hyperframe"

        @Test(
            "end their own stream or connection, each in the way that its case says, and disturb nobody",
            .enabled(
                if: PythonPeers.python(importing: modules) != nil, "SKIPPED: there is no Python with \(modules)"))
        func peers() async throws {
            let python = try #require(PythonPeers.python(importing: Self.modules))
            var options = try Fleet.Options(
                replicas: 1, threads: 1, backends: 0, store: nil, ownBackends: [LoopbackPort.free()],
                ownScheme: "h2c")
            options.log = "level: error"
            try await withFleet(options) { fleet in
                try await Threads.run {
                    let path = "\(fleet.directory)/peer.py"
                    try TextFile.write(HTTP2PeerProgram.text, to: path)
                    try PythonPeers.serve(fleet, [python, path]) {
                        let lines = try PythonPeers.ask(fleet, [python, path], 1)
                        for line in lines {
                            let text = line.joined(separator: " ")
                            let isRight = line.count > 2 && line[2] == "ok"
                            #expect(isRight, "\(text)")
                            ConformanceLine.write("h2 as \(line[0])", isRight ? .passed : .failed, text)
                        }
                        #expect(lines.count { $0[0] == "client" } >= 70)
                        #expect(lines.count { $0[0] == "backend" } >= 60)
                    }
                    let replica = fleet.replicas[0]
                    for metric in ["limpet_requests_in_flight", "limpet_open_connections{entrypoint=\"web\"}"] {
                        let isZero = try Waiting.until(within: 10) { try replica.metric(metric) == 0 }
                        #expect(isZero, "\(metric)")
                    }
                }
            }
        }
    }
}
