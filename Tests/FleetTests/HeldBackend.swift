import LimpetTestKit

/// A backend that answers its requests when it is told to.
final class HeldBackend: Sendable {
    /// A request has arrived.
    let asked = ScriptedBackend.Flag()
    /// Requests are answered, those that are still to come included.
    let released = ScriptedBackend.Flag()
    private let backend: ScriptedBackend

    init() throws {
        backend = try ScriptedBackend { [asked, released] connection, _ in
            while true {
                _ = try connection.receive(until: "\r\n\r\n")
                asked.set()
                guard released.isSet(within: 60) else { return }
                try connection.send("HTTP/1.1 200 OK\r\nX-Backend: held\r\nContent-Length: 0\r\n\r\n")
            }
        }
    }

    var port: Int { backend.port }

    func close() { backend.close() }
}

extension LimpetProcess {
    /// Whether nobody listens at its entry point.
    var refusesConnections: Bool {
        do {
            _ = try TCPSocket(port: port)
            return false
        } catch let error as TCPSocket.Failure {
            return error.isRefusal
        } catch {
            return false
        }
    }
}
