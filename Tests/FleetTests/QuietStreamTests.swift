import Foundation
import LimpetTestKit
import Synchronization
import Testing

extension FleetTests {
    @Suite("Streams of events, and answers that take long")
    struct QuietStreamTests {
        private static let browser = ProcessInfo.processInfo.environment["LIMPET_TEST_BROWSER"].flatMap { path in
            FileManager.default.isExecutableFile(atPath: path) ? path : nil
        }

        /// What a page says of a stream's events, and of an answer that takes long, by `/said?…` at its own origin.
        private static let page = """
            <!DOCTYPE html><title>quiet</title><script>
            const say = text => fetch("/said?" + text, { method: "POST" });
            const source = new EventSource("/events");
            source.onopen = () => say("open");
            source.onmessage = event => say("event=" + event.data + "=" + (Date.now() - Number(event.lastEventId)));
            source.onerror = () => say("error");
            fetch("/poll").then(answer => answer.text()).then(text => say(text), error => say("error=poll"));
            </script>
            """

        /// A backend with a page, a stream of events, an answer that takes long, and what is said to it.
        private final class Origin: Sendable {
            /// Those that come at once, before the silence.
            static let brisk = 40
            private let server: ScriptedBackend
            private let isOver = ScriptedBackend.Flag()
            private let targets: Targets

            private final class Targets: Sendable {
                private let targets = Mutex<[String]>([])

                var all: [String] { targets.withLock { $0 } }

                func add(_ target: String) { targets.withLock { $0.append(target) } }
            }

            /// - Parameters:
            ///   - silence: before the last event, in seconds.
            ///   - delay: before the long answer, in seconds.
            init(silence: Double, delay: Double) throws {
                let targets = Targets()
                self.targets = targets
                server = try ScriptedBackend { [isOver] connection, _ in
                    connection.setTimeout(seconds: 200)
                    while true {
                        let head = try connection.receive(until: "\r\n\r\n")
                        let target = String(head.split(separator: " ").dropFirst().first ?? "")
                        switch target {
                        case "/": try Self.answer(connection, QuietStreamTests.page, type: "text/html")
                        case "/events": return try Self.stream(connection, silence, until: isOver)
                        case "/poll":
                            Thread.sleep(forTimeInterval: delay)
                            try Self.answer(connection, "polled")
                        default:
                            targets.add(target)
                            try Self.answer(connection, "")
                        }
                    }
                }
            }

            var port: Int { server.port }

            /// What was said, without `/said?`.
            var said: [String] {
                targets.all.filter { $0.hasPrefix("/said?") }.map { String($0.dropFirst(6)) }
            }

            /// The latencies in milliseconds of the events that the page has received.
            var latencies: [String: Int] {
                said.reduce(into: [:]) { latencies, line in
                    let words = line.split(separator: "=")
                    if words.count == 3, words[0] == "event" { latencies[String(words[1])] = Int(words[2]) }
                }
            }

            /// Ends streams too: a replica that stops would wait for them.
            func close() {
                isOver.set()
                server.close()
            }

            private static func answer(_ connection: TCPSocket, _ body: String, type: String = "text/plain") throws {
                let length = body.utf8.count
                try connection.send(
                    "HTTP/1.1 200 OK\r\nContent-Type: \(type)\r\nContent-Length: \(length)\r\n\r\n\(body)")
            }

            /// Each event has the time at which it is sent, in milliseconds since 1970, as its id.
            private static func stream(
                _ connection: TCPSocket, _ silence: Double, until isOver: ScriptedBackend.Flag
            ) throws {
                try connection.send(
                    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
                for number in 0..<brisk {
                    try send(connection, "\(number)")
                    Thread.sleep(forTimeInterval: 0.05)
                }
                Thread.sleep(forTimeInterval: silence)
                try send(connection, "late")
                _ = isOver.isSet(within: 200)
            }

            private static func send(_ connection: TCPSocket, _ data: String) throws {
                let event = "id: \(Int(Fleet.wallClock * 1000))\ndata: \(data)\n\n"
                try connection.send("\(String(event.utf8.count, radix: 16))\r\n\(event)\r\n")
            }
        }

        @Test("each event of a stream leaves at once, also after a silence")
        func events() async throws {
            let origin = try Origin(silence: 3, delay: 0)
            try await withFleet(.init(replicas: 1, backends: 0, store: nil, ownBackends: [origin.port])) { fleet in
                try await Threads.run {
                    defer { origin.close() }
                    let client = try TCPSocket(port: fleet.ports[0], timeout: 20)
                    try client.send("GET /events HTTP/1.1\r\nHost: h\r\n\r\n")
                    _ = try client.receive(until: "\r\n\r\n")
                    var latencies: [Double] = []
                    for _ in 0...Origin.brisk {
                        let event = try client.receive(until: "\n\n\r\n")
                        let now = Fleet.wallClock * 1000
                        let id = try #require(event.firstRange(of: "id: ").map { event[$0.upperBound...] })
                        latencies.append(now - (try #require(Double(id.prefix { $0.isNumber }))))
                    }
                    client.close()
                    print("events: \(latencies.sorted().map { Int($0) }.suffix(3)) ms at most")
                    #expect(latencies.allSatisfy { $0 < 100 }, "\(latencies)")
                }
            }
        }

        @Test(
            "a browser's EventSource bears two minutes of silence, and its long poll of 70 s is answered",
            .enabled(if: browser != nil, "SKIPPED: LIMPET_TEST_BROWSER does not name a Chromium; it takes two minutes"))
        func twoMinutes() async throws {
            let browser = try #require(Self.browser)
            let origin = try Origin(silence: 120, delay: 70)
            try await withFleet(.init(replicas: 1, backends: 0, store: nil, ownBackends: [origin.port])) { fleet in
                try await Threads.run {
                    defer { origin.close() }
                    let process = try ChildProcess(
                        [
                            browser, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run",
                            "--disable-background-networking", "--user-data-dir=\(fleet.directory)/browser",
                            "http://127.0.0.1:\(fleet.ports[0])/",
                        ], log: "\(fleet.directory)/browser")
                    defer {
                        process.signal(SIGTERM)
                        _ = process.waitForEnd(within: 5)
                    }
                    let isOver = Waiting.until(within: 150) {
                        let said = origin.said
                        return said.contains { $0.hasPrefix("event=late=") || $0.hasPrefix("error") }
                    }
                    let (said, latencies) = (origin.said, origin.latencies)
                    try #require(isOver, "\(said) \((try? TextFile.read(process.errorPath)) ?? "")")
                    print("events in a browser: \(latencies.values.sorted().suffix(3)) ms at most")
                    #expect(said.count { $0 == "open" } == 1)
                    #expect(!said.contains { $0.hasPrefix("error") }, "\(said)")
                    #expect(said.contains("polled"))
                    #expect(latencies.count == Origin.brisk + 1)
                    #expect(latencies.values.allSatisfy { $0 < 100 }, "\(latencies)")
                }
            }
        }
    }
}
