import LimpetTestKit
import Synchronization

/// A backend whose answers have the status that the test has set, and that remembers the health checks it was sent:
/// requests for `/health`, with whatever follows. `/health/418` is answered with that status, and `/health/to/X` with a
/// redirect to `/health/X`.
final class CheckedBackend: Sendable {
    struct Check: Sendable {
        let head: String
        let time: ContinuousClock.Instant
    }

    private final class Mood: Sendable {
        let checkStatus = Mutex(200)
        let status = Mutex(200)
        let checks = Mutex<[Check]>([])

        func answer(_ head: String, _ name: String) -> String {
            let target = head.split(separator: " ").dropFirst().first ?? ""
            guard target.hasPrefix("/health") else { return answer(status.withLock { $0 }, name) }
            checks.withLock { $0.append(Check(head: head, time: .now)) }
            let words = target.split(separator: "/").dropFirst()
            if words.first == "to", let end = words.last { return answer(302, name, "Location: /health/\(end)\r\n") }
            return answer(words.first.flatMap { Int($0) } ?? checkStatus.withLock { $0 }, name)
        }

        private func answer(_ status: Int, _ name: String, _ fields: String = "") -> String {
            "HTTP/1.1 \(status) Test\r\nX-Backend: \(name)\r\n\(fields)"
                + (status == 204 ? "\r\n" : "Content-Length: 0\r\n\r\n")
        }
    }

    private let backend: ScriptedBackend
    private let mood: Mood

    init(_ name: String) throws {
        let mood = Mood()
        self.mood = mood
        backend = try ScriptedBackend { connection, _ in
            connection.setTimeout(seconds: 60)
            while true {
                try connection.send(mood.answer(try connection.receive(until: "\r\n\r\n"), name))
            }
        }
    }

    var port: Int { backend.port }
    var url: String { "http://127.0.0.1:\(port)" }
    var checks: [Check] { mood.checks.withLock { $0 } }

    func setCheckStatus(_ status: Int) { mood.checkStatus.withLock { $0 = status } }
    func setStatus(_ status: Int) { mood.status.withLock { $0 = status } }

    func close() { backend.close() }
}
