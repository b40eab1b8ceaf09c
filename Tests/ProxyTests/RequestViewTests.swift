import HTTPWire
import NIOCore
import Routing
import Testing

@testable import Proxy

@Suite("Rules and session keys see forwarding fields as a backend does")
struct RequestViewTests {
    private static let request = """
        GET / HTTP/1.1\r\nHost: h.test:80\r\nX-Forwarded-Proto: https\r\nX-Real-Ip: 6.6.6.6\r\n\
        X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Whatever: evil\r\nX-Other: kept\r\n\r\n
        """

    /// The values of these fields, as a rule sees them.
    private static func values(_ names: [String], trusted: [AddressRange], request: String = request) throws -> [String]
    {
        let remote = try SocketAddress(ipAddress: "192.0.2.7", port: 4711)
        let client = ClientConnectionInfo(
            remote: remote, entryPoint: EntryPoint(name: "web", index: 0, trustedPeers: trusted), replicaName: "r1")
        let fields = FieldTable(capacity: 100)
        return try Array(request.utf8).withUnsafeBytes { bytes in
            guard case .head(let head) = HeadScanner(limits: MessageLimits()).scanRequest(bytes, into: fields) else {
                throw Malformed()
            }
            let view = RequestView(head: head, bytes: bytes, fields: fields, client: client)
            return names.map { name in
                var found: [String] = []
                _ = Array(name.lowercased().utf8).withUnsafeBytes { name in
                    view.hasField(named: name) { value in
                        found.append(String(decoding: value, as: UTF8.self))
                        return false
                    }
                }
                return found.joined(separator: "|")
            }
        }
    }

    private struct Malformed: Error {}

    private static let names = [
        "X-Forwarded-Proto", "X-Real-Ip", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Port",
        "X-Forwarded-Server", "X-Forwarded-Whatever", "Forwarded", "X-Other",
    ]

    @Test("what an untrusted peer sends counts for nothing")
    func untrusted() throws {
        let values = try Self.values(Self.names, trusted: [])
        #expect(values == ["http", "192.0.2.7", "192.0.2.7", "h.test:80", "80", "r1", "", "", "kept"])
    }

    @Test("what a trusted peer sends counts, and what it leaves out is known all the same")
    func trusted() throws {
        let range = [try AddressRange("192.0.2.0/24")]
        let values = try Self.values(Self.names, trusted: range)
        #expect(values == ["https", "6.6.6.6", "6.6.6.6", "h.test:80", "80", "r1", "evil", "", "kept"])
        let silent = try Self.values(Self.names, trusted: range, request: "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        #expect(silent == ["http", "192.0.2.7", "192.0.2.7", "h", "80", "r1", "", "", ""])
    }
}
