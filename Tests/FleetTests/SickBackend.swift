import LimpetTestKit
import Synchronization

/// A backend that serves, and whose health check fails as long as the test says so: for all replicas, or for those
/// whose checks say in `X-Replica` that they are theirs.
final class SickBackend: Sendable {
    static let everybody = "everybody"

    private let backend: ScriptedBackend
    private let patients: Patients

    /// The replicas for which it is sick.
    private final class Patients: Sendable {
        private let names = Mutex<Set<String>>([])

        func contains(_ head: String) -> Bool {
            names.withLock { names in
                names.contains(SickBackend.everybody) || names.contains { head.contains("X-Replica: \($0)\r\n") }
            }
        }

        func set(_ new: Set<String>) { names.withLock { $0 = new } }
    }

    init(_ name: String) throws {
        let patients = Patients()
        self.patients = patients
        backend = try ScriptedBackend { connection, _ in
            while true {
                let head = try connection.receive(until: "\r\n\r\n")
                let isSick = head.hasPrefix("GET /health ") && patients.contains(head)
                let status = isSick ? "503 Sick" : "200 OK"
                try connection.send("HTTP/1.1 \(status)\r\nX-Backend: \(name)\r\nContent-Length: 0\r\n\r\n")
            }
        }
    }

    var port: Int { backend.port }

    func sicken(for replica: String = SickBackend.everybody) { patients.set([replica]) }

    func heal() { patients.set([]) }

    func close() { backend.close() }
}
