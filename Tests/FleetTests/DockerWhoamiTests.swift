import LimpetTestKit
import Testing

extension FleetTests {
    @Suite(
        "Backends in containers",
        .enabled(if: DockerTestEngine.obstacle == nil, "\(DockerTestEngine.obstacle ?? "")"))
    struct DockerWhoamiTests {
        @Test("a replica reaches a backend in a container at its address")
        func reached() async throws {
            try await Threads.run {
                let engine = try DockerTestEngine()
                defer { engine.end() }
                let id = try engine.runWhoami("web")
                let address = try #require(try engine.address(of: id))
                let replica = try LimpetProcess("r0", in: engine.directory) { port, adminPort in
                    """
                    entryPoints: { web: { address: "127.0.0.1:\(port)" }, admin: { address: "127.0.0.1:\(adminPort)" } }
                    http:
                      routers: { all: { rule: "PathPrefix(`/`)", service: app } }
                      services: { app: { loadBalancer: { servers: [ { url: "http://\(address):80" } ] } } }
                    """
                }
                let answer = try Waiting.poll(within: 10) {
                    let answer = try HTTPConnection(port: replica.port)
                        .exchange(HTTPRequest("GET", "/", fields: ["Connection": "close"]))
                    return answer.status == 200 ? answer : nil
                }
                #expect(answer?["X-Backend"] == "web")
                #expect(replica.stop() == .exited(0))
            }
        }
    }
}
