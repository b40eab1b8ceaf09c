import Foundation
import LimpetTestKit

/// A backend with all that a change of the fleet could break: requests, downloads that take two seconds, and tunnels
/// that send back what they are sent.
enum CanaryBackend {
    static let pieces = 20
    static let piece = String(repeating: "d", count: 8192)

    static func start(_ name: String) throws -> ScriptedBackend {
        try ScriptedBackend { connection, _ in
            connection.setTimeout(seconds: 180)
            while true {
                let head = try connection.receive(until: "\r\n\r\n")
                if head.contains("Upgrade: websocket\r\n") { return try echo(connection) }
                if head.hasPrefix("GET /download ") {
                    try connection.send(
                        "HTTP/1.1 200 OK\r\nX-Backend: \(name)\r\nContent-Length: \(pieces * piece.utf8.count)\r\n\r\n")
                    for _ in 0..<pieces {
                        try connection.send(piece)
                        // How long it takes is what it is for.
                        usleep(100_000)
                    }
                } else {
                    try connection.send("HTTP/1.1 200 OK\r\nX-Backend: \(name)\r\nContent-Length: 0\r\n\r\n")
                }
            }
        }
    }

    private static func echo(_ connection: TCPSocket) throws {
        try connection.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        while case let bytes = try connection.receive(), !bytes.isEmpty { try connection.send(bytes) }
    }
}

/// A WebSocket through a replica, to a backend that sends back what it is sent.
struct CanaryTunnel: Sendable {
    let socket: TCPSocket

    init(_ replica: LimpetProcess, session: String) throws {
        socket = try TCPSocket(port: replica.port)
        try socket.send(
            """
            GET / HTTP/1.1\r\nHost: h\r\nX-Session-ID: \(session)\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n
            """)
        let head = try socket.receive(until: "\r\n\r\n")
        guard head.hasPrefix("HTTP/1.1 101 ") else { throw Unexpected(description: head) }
    }

    /// Whether an empty text frame comes back.
    func isAlive() throws -> Bool {
        let frame: [UInt8] = [0x81, 0x80, 1, 2, 3, 4]
        try socket.send(frame)
        return try socket.receive(upTo: frame.count) == frame
    }
}
