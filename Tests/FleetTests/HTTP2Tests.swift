import Foundation
import HTTP2Wire
import LimpetTestKit
import Synchronization
import Testing

extension FleetTests {
    @Suite("HTTP/2 over real processes")
    struct HTTP2Tests {
        private static let sessions = (0..<60).map { "session-\($0)" }

        @Test("streams of one connection go to their own backends, the same at every replica and over HTTP/1.1")
        func affinity() async throws {
            try await withFleet(.init()) { fleet in
                let home = try await fleet.agreement(on: Self.sessions)
                #expect(Set(home.values).count == 3)
                try await Threads.run {
                    for port in fleet.ports {
                        let client = try HTTP2Client(port: port)
                        var streams: [String: Int32] = [:]
                        for session in Self.sessions {
                            streams[session] = try client.send("GET", "/", "X-Session-ID: \(session)\r\n")
                        }
                        #expect(streams.count == Self.sessions.count)
                        for (session, stream) in streams {
                            let response = try client.response(to: stream)
                            #expect(response.status == 200)
                            #expect(response.values(of: "x-backend").first == home[session])
                        }
                    }
                }
            }
        }

        /// What became of the streams of one client that asks for slow answers again and again.
        private final class Tally: Sendable {
            let answered = Mutex(0)
            let handedBack = Mutex(0)
            let failures = Mutex<[String]>([])
            let isOver = Mutex(false)

            var count: Int { answered.withLock { $0 } }
        }

        private static func ask(_ ports: [Int], _ number: Int, _ tally: Tally) {
            var place = number
            while !tally.isOver.withLock({ $0 }) {
                place += 1
                guard let client = try? HTTP2Client(port: ports[place % ports.count]) else { continue }
                while !tally.isOver.withLock({ $0 }), client.announcedEnds.isEmpty, !client.isClosed {
                    var streams: [Int32] = []
                    for index in 0..<25 {
                        let fields = "X-Session-ID: s\(number)-\(index)\r\n"
                        if let stream = try? client.send("GET", "/slow?ms=20", fields) { streams.append(stream) }
                    }
                    for stream in streams {
                        let response = try? client.response(to: stream)
                        if response?.status == 200, response?.isComplete == true {
                            tally.answered.withLock { $0 += 1 }
                        } else if let last = client.announcedEnds.last, stream > last {
                            tally.handedBack.withLock { $0 += 1 }
                        } else if client.isClosed, response?.head.isEmpty ?? true, client.announcedEnds.isEmpty {
                            // The replica never took the connection.
                            tally.handedBack.withLock { $0 += 1 }
                        } else {
                            tally.failures.withLock { $0.append("\(String(describing: response))") }
                        }
                    }
                }
            }
        }

        /// Twenty clients have 25 streams each.
        private static func disturb(_ fleet: Fleet, _ tally: Tally) throws {
            let hasBegun = Waiting.until(within: 20) { tally.count > 500 }
            guard hasBegun else { throw Unexpected(description: "\(tally.count) are answered") }
            for number in 0..<100 {
                let before = try fleet.replicas.map { try $0.reloads() }
                try fleet.say(fleet.http.replacing("`/other`", with: "`/other\(number)`"))
                guard try fleet.allReloaded(since: before) else { throw Unexpected(description: "no reload") }
            }
            for _ in 0..<2 { try fleet.restartReplica(0) }
            tally.isOver.withLock { $0 = true }
            usleep(3_000_000)
        }

        @Test(
            "a hundred reloads, and stops under 500 streams: none fails that a GOAWAY did not hand back",
            .timeLimit(.minutes(3))
        )
        func reloadsAndStop() async throws {
            var options = Fleet.Options(replicas: 2, dynamic: .init())
            options.threads = 1
            try await withFleet(options) { fleet in
                let tally = Tally()
                let ports = fleet.ports
                for number in 0..<20 {
                    Threads.detach { Self.ask(ports, number, tally) }
                }
                try await Threads.run { try Self.disturb(fleet, tally) }
                #expect(tally.failures.withLock { $0 } == [])
                #expect(tally.count > 1000)
            }
        }

        // MARK: Programs that people use

        private static func has(_ program: String) -> Bool { FileManager.default.isExecutableFile(atPath: program) }

        @Test(
            "nghttp and h2load get what they ask for, plain and over TLS",
            .enabled(
                if: has("/usr/bin/nghttp") && has("/usr/bin/h2load"), "SKIPPED: there is no nghttp, no h2load"))
        func nghttp() async throws {
            try await Threads.run {
                try withTLSFleet(TLSFleet(Self.both, names: "DNS:localhost")) { fleet in
                    let port = fleet.replicas[0].port
                    let said = try CommandOutcome(running: ["/usr/bin/nghttp", "-nv", "http://127.0.0.1:\(port)/a"])
                    #expect(said.output.contains(":status: 200") && !said.output.contains("recv RST_STREAM"))
                    for scheme in ["http", "https"] {
                        for streams in ["1", "16", "100"] {
                            let outcome = try CommandOutcome(running: [
                                "/usr/bin/h2load", "-n", "2000", "-c", "10", "-m", streams,
                                "\(scheme)://localhost:\(port)/",
                            ])
                            #expect(outcome.output.contains("2000 succeeded, 0 failed"), "\(outcome.output)")
                            #expect(outcome.output.contains("status codes: 2000 2xx"))
                        }
                    }
                }
            }
        }

        private static let both = TLSFleet.dynamic.replacingOccurrences(
            of: "tls: true } }", with: "tls: true }, plain: { rule: \"PathPrefix(`/`)\", service: app } }")

        @Test(
            "an entry point with http2: false agrees on HTTP/1.1, and takes no other beginning",
            .enabled(if: has("/usr/bin/curl"), "SKIPPED: there is no curl"))
        func switchedOff() async throws {
            try await Threads.run {
                let fleet = try TLSFleet(Self.both, entryPoint: ", http2: false", names: "DNS:localhost")
                try withTLSFleet(fleet) { fleet in
                    let port = fleet.replicas[0].port
                    let curl = ["/usr/bin/curl", "-sS", "--cacert", fleet.authority.root.certificate]
                    let agreed = try CommandOutcome(
                        running: curl + ["--http2", "-o", "/dev/null", "-w", "%{http_version} %{http_code}"]
                            + ["https://localhost:\(port)/"])
                    #expect(agreed.output == "1.1 200", "\(agreed.errors)")
                    let told = try CommandOutcome(
                        running: curl + ["--http2-prior-knowledge", "http://localhost:\(port)/"])
                    #expect(told.end != .exited(0))
                }
            }
        }

        private static let mutual = """
            tls:
              certificates: [{ certFile: "DIR/served.pem", keyFile: "DIR/served.key" }]
              options: { strict: { clientAuth: { clientAuthType: RequireAndVerifyClientCert, caFiles: ["DIR/ca.pem"] } } }
            http:
              routers:
                open: { rule: "Host(`open.example`)", service: app, tls: true }
                strict: { rule: "Host(`strict.example`)", service: app, tls: { options: strict } }
              services: { app: { loadBalancer: { servers: [{ url: "BACKEND" }] } } }

            """

        @Test(
            "a stream for a host that demands a certificate is answered 421 on the connection of another host",
            .enabled(if: has("/usr/bin/curl"), "SKIPPED: there is no curl"))
        func misdirected() async throws {
            try await Threads.run {
                let names = "DNS:open.example,DNS:strict.example"
                try withTLSFleet(TLSFleet(Self.mutual, names: names)) { fleet in
                    let port = fleet.replicas[0].port
                    let outcome = try CommandOutcome(running: [
                        "/usr/bin/curl", "-sS", "--http2", "--cacert", fleet.authority.root.certificate, "--resolve",
                        "open.example:\(port):127.0.0.1", "-o", "/dev/null", "-w",
                        "%{http_version} %{http_code} %{num_connects}\\n", "https://open.example:\(port)/", "--next",
                        "-sS", "--http2", "--cacert", fleet.authority.root.certificate, "--resolve",
                        "open.example:\(port):127.0.0.1", "-o", "/dev/null", "-w",
                        "%{http_version} %{http_code} %{num_connects}\\n", "-H", "Host: strict.example",
                        "https://open.example:\(port)/",
                    ])
                    #expect(outcome.output == "2 200 1\n2 421 0\n", "\(outcome.errors)")
                }
            }
        }

        private static let httpx = """
            import sys, ssl, httpx
            context = ssl.create_default_context(cafile=sys.argv[1])
            with httpx.Client(http2=True, http1=False, verify=context) as client:
                first = client.get(sys.argv[2] + "/first")
                for count in range(30):
                    answer = client.post(sys.argv[2] + "/more", content=b"x" * 1000 * count)
                    print(answer.http_version, answer.status_code, answer.headers["x-backend"] == first.headers["x-backend"],
                          "body: %d bytes" % (1000 * count) in answer.text)
            """

        @Test(
            "httpx keeps its cookie and its backend",
            .enabled(if: PythonPeers.python(importing: "httpx, h2") != nil, "SKIPPED: httpx and h2 are not installed"))
        func httpx() async throws {
            let python = try #require(PythonPeers.python(importing: "httpx, h2"))
            try await Threads.run {
                try withTLSFleet(TLSFleet(TLSFleet.dynamic, names: "DNS:localhost")) { fleet in
                    let outcome = try CommandOutcome(running: [
                        python, "-c", Self.httpx, fleet.authority.root.certificate,
                        "https://localhost:\(fleet.replicas[0].port)",
                    ])
                    let lines = outcome.output.split(separator: "\n")
                    #expect(lines.count == 30, "\(outcome.errors)")
                    #expect(lines.allSatisfy { $0 == "HTTP/2 200 True True" }, "\(outcome.output)")
                }
            }
        }
    }
}
