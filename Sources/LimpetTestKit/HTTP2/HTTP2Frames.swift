/// A backend that speaks HTTP/2 in frames that a script makes, right or wrong. Closed with the last reference.
package final class HTTP2Frames: Sendable {
    /// One connection, whose preface has been exchanged.
    package struct Connection: Sendable {
        package let socket: TCPSocket

        package init(socket: TCPSocket) { self.socket = socket }

        package func send(type: UInt8, flags: UInt8 = 0, stream: UInt32 = 0, _ payload: [UInt8] = []) throws {
            try socket.send(HTTP2Frame.frame(type: type, flags: flags, stream: stream, payload))
        }

        /// Waits for the head of a request, and returns its stream.
        package func receiveHead() throws -> UInt32 {
            while true {
                let frame = try HTTP2Frame(from: socket)
                if frame.type == 1 { return frame.stream }
            }
        }

        package func answer(_ stream: UInt32, _ body: String) throws {
            try socket.send(
                HTTP2Frame.head(stream: stream, ends: false, [(":status", "200")])
                    + HTTP2Frame.frame(type: 0, flags: 1, stream: stream, Array(body.utf8)))
        }

        package func answerAll(_ body: String) throws {
            while true { try answer(receiveHead(), body) }
        }

        /// Reads until the peer closes.
        package func waitForEnd() {
            while (try? HTTP2Frame(from: socket)) != nil {}
        }
    }

    private let listener: ScriptedBackend

    /// - Parameters:
    ///   - settings: the payload of the first SETTINGS frame.
    ///   - script: given a connection and its number, counted from 1. The connection closes when it returns.
    package init(
        settings: [UInt8] = [], script: @escaping @Sendable (Connection, Int) throws -> Void
    ) throws {
        listener = try ScriptedBackend { socket, number in
            _ = try socket.receive(until: "SM\r\n\r\n")
            let connection = Connection(socket: socket)
            try connection.send(type: 4, settings)
            try script(connection, number)
        }
    }

    deinit { listener.close() }

    package var port: Int { listener.port }
    package var connectionCount: Int { listener.connectionCount }
}
