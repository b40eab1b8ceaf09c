import LimpetTestKit
import Synchronization

#if canImport(Glibc)
import Glibc
#endif

/// Backends in this process that issue a session key to each request that presents none. They answer fast, and with
/// heads alone: they are for requests without a body, by `HEAD`.
final class IssuingBackends: Sendable {
    private let backends: [ScriptedBackend]

    /// - Parameter field: the field of requests and responses with the key.
    init(_ count: Int, field: String) throws {
        let counter = Counter()
        backends = try (0..<count).map { number in
            try ScriptedBackend { connection, _ in
                try Self.answer(connection, name: "own\(number)", field: field, counter)
            }
        }
    }

    var ports: [Int] { backends.map(\.port) }

    func close() { backends.forEach { $0.close() } }

    private final class Counter: Sendable {
        private let count = Atomic(0)

        func next() -> Int { count.add(1, ordering: .relaxed).newValue }
    }

    private static func answer(_ connection: TCPSocket, name: String, field: String, _ counter: Counter) throws {
        while true {
            var head: [UInt8] = []
            repeat {
                let piece = try connection.receive()
                guard !piece.isEmpty else { return }
                head += piece
            } while !head.suffix(4).elementsEqual("\r\n\r\n".utf8)
            let isKnown = String(decoding: head, as: UTF8.self).withCString { strstr($0, "\r\n\(field): ") != nil }
            let issued = isKnown ? "" : "\(field): \(name)-\(counter.next())\r\n"
            try connection.send("HTTP/1.1 200 OK\r\nX-Backend: \(name)\r\n\(issued)Content-Length: 0\r\n\r\n")
        }
    }
}
