import Foundation
import LimpetTestKit
import Testing

extension FleetTests {
    /// Receivers of gRPC measure bandwidth times delay by pings while much arrives, unless told otherwise.
    @Suite("gRPC that measures its connections by pings")
    struct GRPCMeasuringTests {
        /// Downloads and uploads 64 MiB in messages of 256 KiB, four times at once.
        private static let program = """
            import sys
            import grpc
            from concurrent import futures

            COUNT, PIECE = 256, b"x" * 262144

            def serve(name, port):
                def download(request, context):
                    for number in range(COUNT): yield PIECE
                def upload(requests, context):
                    return str(sum(len(request) for request in requests)).encode()
                methods = {
                    "Download": grpc.unary_stream_rpc_method_handler(download),
                    "Upload": grpc.stream_unary_rpc_method_handler(upload),
                }
                server = grpc.server(futures.ThreadPoolExecutor(16))
                server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("t.T", methods),))
                server.add_insecure_port("127.0.0.1:%s" % port)
                server.start()
                server.wait_for_termination()

            def ask(port):
                with grpc.insecure_channel("127.0.0.1:%s" % port) as channel:
                    def download(number):
                        pieces = channel.unary_stream("/t.T/Download")(b"", timeout=100)
                        return sum(len(piece) for piece in pieces)
                    def upload(number):
                        pieces = (PIECE for number in range(COUNT))
                        return int(channel.stream_unary("/t.T/Upload")(pieces, timeout=100))
                    with futures.ThreadPoolExecutor(4) as pool:
                        print("download", *pool.map(download, range(4)))
                        print("upload", *pool.map(upload, range(4)))

            if sys.argv[1] == "serve": serve(sys.argv[2], sys.argv[3])
            else: ask(sys.argv[2])

            """

        @Test(
            "moves 256 MiB in each direction, and nobody takes the pings for a flood",
            .enabled(if: PythonPeers.python(importing: "grpc") != nil, "SKIPPED: grpcio is not installed"))
        func pings() async throws {
            let python = try #require(PythonPeers.python(importing: "grpc"))
            let options = Fleet.Options(
                replicas: 1, backends: 0, store: nil, ownBackends: [try LoopbackPort.free()], ownScheme: "h2c")
            try await withFleet(options) { fleet in
                try await Threads.run {
                    let path = "\(fleet.directory)/measuring.py"
                    try TextFile.write(Self.program, to: path)
                    try PythonPeers.serve(fleet, [python, path]) {
                        let outcome = try CommandOutcome(
                            running: [python, path, "ask", "\(fleet.ports[0])"],
                            environment: ["GRPC_TRACE": "bdp_estimator", "GRPC_VERBOSITY": "DEBUG"], within: 120)
                        let sizes = Array(repeating: "\(64 << 20)", count: 4).joined(separator: " ")
                        #expect(
                            outcome.output == "download \(sizes)\nupload \(sizes)\n", "\(outcome.errors.suffix(1000))")
                        let pings = outcome.errors.split(separator: "\n").count { $0.contains("bdp[") }
                        #expect(pings > 0, "it has measured nothing")
                        let metrics = try fleet.replicas[0].admin("/metrics").text
                        #expect(!metrics.contains("limpet_http2_floods_total{"))
                        #expect(!fleet.replicas[0].errorLog.contains("flooded"))
                    }
                }
            }
        }
    }
}
