import Foundation
import LimpetTestKit
import Testing

extension FleetTests {
    @Suite("Published conformance suites")
    struct ConformanceTests {
        private static let python = PythonPeers.python(importing: "kosoku, websockets.asyncio.server")

        @Test(
            "a WebSocket server does as well through a replica as directly, case by case",
            .enabled(if: python != nil, "SKIPPED: there is no Python with kosoku and websockets"))
        func webSocket() async throws {
            let python = try #require(Self.python)
            let repository = URL(fileURLWithPath: #filePath).appending(path: "../../..").standardized.path
            let outcome = try await Threads.run {
                try CommandOutcome(
                    running: ["/bin/bash", "\(repository)/scripts/conformance", "websocket", "--quick"],
                    environment: ["LIMPET_BIN": LimpetProgram.path(), "LIMPET_TEST_PYTHON": python], within: 120)
            }
            #expect(outcome.end == .exited(0), "\(outcome.output)\(outcome.errors)")
            #expect(outcome.output.contains("\n284 cases, 0 differ"), "\(outcome.output)")
        }
    }
}
