import Testing

@testable import Configuration

@Suite("Where a Docker Engine listens")
struct DockerEndpointTests {
    @Test(
        "a socket and a port are understood",
        arguments: [
            ("unix:///var/run/docker.sock", DockerEndpoint.unix(path: "/var/run/docker.sock")),
            ("UNIX:///a@b", .unix(path: "/a@b")),
            ("tcp://proxy:2375", .tcp(host: "proxy", port: 2375)),
            ("tcp://proxy", .tcp(host: "proxy", port: 2375)),
            ("http://127.0.0.1:80/", .tcp(host: "127.0.0.1", port: 80)),
            ("tcp://[::1]:2375", .tcp(host: "::1", port: 2375)),
        ])
    func endpoints(_ text: String, _ endpoint: DockerEndpoint) throws {
        #expect(try DockerEndpoint(text) == endpoint)
    }

    @Test(
        "anything else is refused, with what would be right",
        arguments: [
            ("", "is not a valid endpoint"), ("/var/run/docker.sock", "is not a valid endpoint"),
            ("unix://run/docker.sock", "needs the full path of a socket"),
            ("unix:///", "needs the full path of a socket"),
            ("unix:///" + String(repeating: "a", count: 107), "longer than 107 bytes"),
            ("https://a:1", "TLS"), ("ssh://h", "SSH"), ("npipe:////./pipe/docker", "Windows"),
            ("fd://", "unknown scheme"), ("tcp://a:0", "valid port"), ("tcp://a/b", "a path"), ("tcp://", "valid host"),
            ("tcp://user:secret@a", "credentials"), ("https://user:secret@a", "credentials"),
            ("ssh://user:secret@a", "credentials"), ("user:secret@a", "credentials"),
            ("tcp://user:secret/x@a", "credentials"), ("unix://a@secret", "needs the full path of a socket"),
        ])
    func refusals(_ text: String, _ reason: String) {
        let error = #expect(throws: AddressErrorText.self) { try AddressErrorText.of(text) }
        #expect(error?.description.contains(reason) == true, "\(error?.description ?? "")")
        #expect(error?.description.contains("secret") == false)
    }

    /// The message of an error, whatever its type.
    private struct AddressErrorText: Error {
        let description: String

        static func of(_ text: String) throws -> DockerEndpoint {
            var settings = DockerProviderSettings()
            settings.endpoint = text
            do {
                return try settings.parsedEndpoint()
            } catch {
                throw AddressErrorText(description: error.description)
            }
        }
    }

    @Test("it is written as it is read")
    func description() throws {
        for text in ["unix:///a/b", "tcp://h:1", "tcp://[::1]:1"] {
            #expect(try DockerEndpoint(text).description == text)
        }
    }
}
