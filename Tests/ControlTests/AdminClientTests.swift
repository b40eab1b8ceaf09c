import LimpetTestKit
import NIOPosix
import Testing

@testable import Control

@Suite("The client of the admin listener")
struct AdminClientTests {
    /// What is asked of a server that answers every request with these bytes and closes.
    private static func ask(_ answer: String) async throws -> (url: String, Result<[UInt8], AdminClientError>) {
        let server = try ScriptedBackend { connection, _ in
            _ = try connection.receive(until: "\r\n\r\n")
            try connection.send(answer)
        }
        defer { server.close() }
        let url = "http://127.0.0.1:\(server.port)"
        let client = try AdminClient(url)
        do throws(AdminClientError) {
            return (url, .success(try await client.get("/api/fleet")))
        } catch {
            return (url, .failure(error))
        }
    }

    @Test("reads the fleet from a replica")
    func fleet() async throws {
        let json = try FleetSample.view.json()
        let server = try ScriptedBackend { connection, _ in
            let head = try connection.receive(until: "\r\n\r\n")
            let isRight = head.hasPrefix("GET /api/fleet HTTP/1.1\r\n") && head.contains("\r\nHost: 127.0.0.1:")
            let status = isRight ? "200 OK" : "400 Bad Request"
            try connection.send("HTTP/1.1 \(status)\r\nContent-Length: \(json.utf8.count)\r\n\r\n\(json)")
        }
        defer { server.close() }
        let answer = try await AdminClient("http://127.0.0.1:\(server.port)/").fleet()
        #expect(answer.view == FleetSample.view)
        #expect(answer.json == json)
    }

    static let failures: [(answer: String, problem: String)] = [
        ("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "answered with status 404"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", "closed the connection before its answer was complete"),
        ("", "closed the connection before its answer was complete"),
        ("SSH-2.0-OpenSSH_9.2\r\n", "does not speak HTTP"),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 1048577\r\n\r\n" + String(repeating: " ", count: 1_048_577),
            "answered with more than 1 MiB"
        ),
    ]

    @Test("says in one sentence what is wrong with an answer", arguments: failures.indices)
    func answers(_ index: Int) async throws {
        let (answer, problem) = Self.failures[index]
        let (url, result) = try await Self.ask(answer)
        #expect(throws: AdminClientError.self) { try result.get() }
        guard case .failure(let error) = result else { return }
        #expect(error.description == "the admin listener \(url) \(problem)")
    }

    @Test("takes an answer of just the size that it may have")
    func largest() async throws {
        let body = String(repeating: " ", count: 1 << 20)
        let (_, result) = try await Self.ask("HTTP/1.1 200 OK\r\nContent-Length: \(body.utf8.count)\r\n\r\n" + body)
        #expect(try result.get().count == body.utf8.count)
    }

    @Test("says that an answer is no fleet")
    func noFleet() async throws {
        let server = try ScriptedBackend { connection, _ in
            _ = try connection.receive(until: "\r\n\r\n")
            try connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK")
        }
        defer { server.close() }
        let client = try AdminClient("http://127.0.0.1:\(server.port)")
        let error = await #expect(throws: AdminClientError.self) { _ = try await client.fleet() }
        #expect(error?.description == "the admin listener \(client.url) answered with something other than a fleet")
    }

    @Test("says that nobody listens there")
    func nobody() async throws {
        let client = try AdminClient("http://127.0.0.1:\(LoopbackPort.free())")
        let error = await #expect(throws: AdminClientError.self) { _ = try await client.get("/") }
        #expect(error?.description == "the admin listener \(client.url) cannot be reached: connection refused")
    }

    @Test("gives up on a server that says nothing")
    func silence() async throws {
        let server = try ScriptedBackend { connection, _ in _ = try connection.receive(until: "never") }
        defer { server.close() }
        let client = try AdminClient("http://127.0.0.1:\(server.port)")
        let error = await #expect(throws: AdminClientError.self) { _ = try await client.get("/") }
        #expect(error?.description == "the admin listener \(client.url) did not answer within 5 s")
    }

    @Test(
        "takes no other URL than that of a host",
        arguments: ["127.0.0.1:8081", "https://", "http://", "http://a:0", "http://u:p@a", "http://a/api", ""])
    func urls(_ url: String) {
        #expect(throws: (any Error).self) { try AdminClient(url) }
    }
}
