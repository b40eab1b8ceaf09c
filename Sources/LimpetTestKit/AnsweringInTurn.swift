import Synchronization

/// A backend that answers each request with the next step of a list, and with the last one from then on. Closed with
/// the last reference.
package final class AnsweringInTurn: Sendable {
    package enum Step: Sendable {
        /// A response with this status, and the fields `X-Attempt` and `Set-Cookie` that number the request.
        case status(Int)
        /// The bytes of a response.
        case bytes(String)
        /// The connection is closed without an answer.
        case close
        /// No answer before this flag is set.
        case wait(ScriptedBackend.Flag)
    }

    /// Shared with the connections of the backend, which outlive no test.
    private final class Progress: Sendable {
        let requests = Mutex<[String]>([])
        let steps: Mutex<[Step]>

        init(_ steps: [Step]) { self.steps = Mutex(steps) }

        /// The number of the request, counted from 1, and its step.
        func received(_ head: String) -> (Int, Step) {
            let number = requests.withLock { requests in
                requests.append(head)
                return requests.count
            }
            return (number, steps.withLock { $0[min(number, $0.count) - 1] })
        }
    }

    private let backend: ScriptedBackend
    private let progress: Progress

    /// - Parameter name: the body of each response with a status.
    package init(_ name: String, _ steps: [Step]) throws {
        let progress = Progress(steps)
        self.progress = progress
        backend = try ScriptedBackend { connection, _ in
            while true {
                let head = try connection.receive(until: "\r\n\r\n")
                let (number, step) = progress.received(head)
                switch step {
                case .status(let status):
                    let fields = "X-Attempt: \(number)\r\nSet-Cookie: attempt=\(number)\r\n"
                    try connection.send(
                        "HTTP/1.1 \(status) x\r\n\(fields)Content-Length: \(name.utf8.count)\r\n\r\n\(name)")
                case .bytes(let bytes): try connection.send(bytes)
                case .close: return
                case .wait(let flag):
                    _ = flag.isSet(within: 20)
                    return
                }
            }
        }
    }

    deinit { backend.close() }

    package var port: Int { backend.port }

    /// The heads of the requests so far.
    package var heads: [String] { progress.requests.withLock { $0 } }

    package var requestCount: Int { heads.count }

    /// From the next request on.
    package func answers(_ steps: [Step]) {
        progress.requests.withLock { $0 = [] }
        progress.steps.withLock { $0 = steps }
    }
}
