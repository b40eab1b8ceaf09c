import Foundation
import LimpetTestKit
import Synchronization
import Testing

extension FleetTests {
    /// The cookies of clients that people use, not of ours.
    @Suite("Real clients stay with their sessions")
    struct RealClientTests {
        /// A client with java.net.CookieManager, which takes the quotation marks off a cookie's value: for each of so
        /// many sessions a line with what each of its requests was answered.
        private static let javaClient = """
            import java.net.*;
            import java.util.*;

            class Client {
                public static void main(String[] arguments) throws Exception {
                    CookieManager manager = new CookieManager();
                    CookieHandler.setDefault(manager);
                    for (int session = 0; session < Integer.parseInt(arguments[1]); session++) {
                        manager.getCookieStore().removeAll();
                        StringJoiner line = new StringJoiner(" ");
                        for (int request = 0; request < 4; request++) {
                            URLConnection connection = new URI(arguments[0]).toURL().openConnection();
                            line.add(new String(connection.getInputStream().readAllBytes()));
                        }
                        System.out.println(line);
                    }
                }
            }
            """

        /// A client with a JDK's HttpClient and its defaults, so that it offers HTTP/2: for each of so many sessions
        /// a line with what each of its requests was answered.
        private static let httpClient = """
            import java.net.URI;
            import java.net.http.*;
            import java.util.*;

            class Client {
                public static void main(String[] arguments) throws Exception {
                    HttpClient client = HttpClient.newHttpClient();
                    for (int session = 0; session < Integer.parseInt(arguments[1]); session++) {
                        StringJoiner line = new StringJoiner(" ");
                        for (int request = 0; request < 4; request++) {
                            HttpRequest.Builder builder = HttpRequest.newBuilder(new URI(arguments[0]));
                            builder.header("X-Session-ID", "session-" + session);
                            if (request % 2 == 1) {
                                builder.POST(HttpRequest.BodyPublishers.ofString("x".repeat(request * 100000)));
                            }
                            line.add(client.send(builder.build(), HttpResponse.BodyHandlers.ofString()).body());
                        }
                        System.out.println(line);
                    }
                }
            }
            """

        private static let javaPath = ["/usr/bin/java", "/usr/local/bin/java"].first {
            FileManager.default.isExecutableFile(atPath: $0)
        }
        private static let curlPath = "/usr/bin/curl"

        /// Backends that say their names and set cookies, each name with a number of its own in place of `#`, for
        /// whoever sends none.
        private static func issuing(_ name: String, _ cookies: [String]) throws -> ScriptedBackend {
            let count = Mutex(0)
            return try ScriptedBackend { connection, _ in
                while true {
                    let head = try connection.receive(until: "\r\n\r\n")
                    let number = count.withLock { count in
                        count += 1
                        return count
                    }
                    let fields =
                        head.contains("Cookie: ")
                        ? ""
                        : cookies.map { "Set-Cookie: \($0)\r\n" }.joined()
                            .replacingOccurrences(of: "#", with: "\(name)-\(number)")
                    try connection.send(
                        "HTTP/1.1 200 OK\r\n\(fields)Content-Length: \(name.utf8.count)\r\n\r\n\(name)")
                }
            }
        }

        /// A backend that answers with its name, the method, the size of the body, and `upgrade` if it was offered to
        /// change the protocol.
        private static func describing(_ name: String) throws -> ScriptedBackend {
            try ScriptedBackend { connection, _ in
                while true {
                    let head = try connection.receive(until: "\r\n\r\n")
                    let lines = head.lowercased().components(separatedBy: "\r\n")
                    let length = lines.first { $0.hasPrefix("content-length: ") }.flatMap { Int($0.dropFirst(16)) } ?? 0
                    var received = 0
                    while received < length { received += try connection.receive(upTo: length - received).count }
                    let isOffered = lines.contains { $0.hasPrefix("upgrade:") || $0.hasPrefix("http2-settings:") }
                    let text = "\(name),\(head.prefix { $0 != " " }),\(received)\(isOffered ? ",upgrade" : "")"
                    try connection.send("HTTP/1.1 200 OK\r\nContent-Length: \(text.utf8.count)\r\n\r\n\(text)")
                }
            }
        }

        private static func withReplica(
            _ sticky: String, issuing cookies: [String], _ body: @escaping @Sendable (RoutedReplica) throws -> Void
        ) async throws {
            try await withReplica(sticky, before: (0..<3).map { try issuing("own\($0)", cookies) }, body)
        }

        /// A replica before these backends.
        private static func withReplica(
            _ sticky: String, before backends: [ScriptedBackend],
            _ body: @escaping @Sendable (RoutedReplica) throws -> Void
        ) async throws {
            defer { backends.forEach { $0.close() } }
            let servers = backends.map { "{ url: \"http://127.0.0.1:\($0.port)\" }" }.joined(separator: ", ")
            let file = """
                http:
                  routers: { all: { rule: "PathPrefix(`/`)", service: app } }
                  services: { app: { loadBalancer: { sticky: { \(sticky) }, servers: [ \(servers) ] } } }
                """
            let end = try await Threads.run {
                let routed = try RoutedReplica(backends: 0, file)
                do { try body(routed) } catch {
                    _ = routed.end()
                    throw error
                }
                return routed.end()
            }
            #expect(end == .exited(0))
        }

        /// What curl is answered by each of these targets, with its cookies kept between them and in the jar.
        private static func curl(_ targets: [String], _ routed: RoutedReplica, jar: String = "") throws -> [String] {
            var command = [curlPath, "-s", "-w", "\\n", "-b", jar]
            if !jar.isEmpty { command += ["-c", jar] }
            let outcome = try CommandOutcome(
                running: command + targets.map { "http://127.0.0.1:\(routed.replica.port)\($0)" })
            try #require(outcome.end == .exited(0), "\(outcome.errors)")
            return outcome.output.split(separator: "\n").map(String.init)
        }

        @Test(
            "java.net.CookieManager sends back a quoted value without its quotation marks",
            .enabled(if: javaPath != nil, "SKIPPED: there is no java"))
        func javaCookieManager() async throws {
            try await Self.withReplica("appCookie: JSESSIONID", issuing: ["JSESSIONID=\"#\"; Path=/"]) { routed in
                let source = "\(routed.directory)/Client.java"
                try TextFile.write(Self.javaClient, to: source)
                let outcome = try CommandOutcome(
                    running: [try #require(Self.javaPath), source, "http://127.0.0.1:\(routed.replica.port)/", "12"])
                try #require(outcome.end == .exited(0), "\(outcome.errors)")
                let sessions = outcome.output.split(separator: "\n").map { $0.split(separator: " ") }
                #expect(sessions.count == 12 && sessions.allSatisfy { $0.count == 4 && Set($0).count == 1 })
                #expect(Set(sessions.compactMap(\.first)).count > 1)
            }
        }

        @Test(
            "a JDK's HttpClient, whose requests offer HTTP/2, is served over HTTP/1.1 and stays with its session",
            .enabled(if: javaPath != nil, "SKIPPED: there is no java"))
        func javaHTTPClient() async throws {
            let backends = try (0..<3).map { try Self.describing("own\($0)") }
            try await Self.withReplica("header: X-Session-ID", before: backends) { routed in
                let source = "\(routed.directory)/Client.java"
                try TextFile.write(Self.httpClient, to: source)
                func run(_ port: Int, _ sessions: Int) throws -> [[String]] {
                    let outcome = try CommandOutcome(
                        running: [try #require(Self.javaPath), source, "http://127.0.0.1:\(port)/", "\(sessions)"])
                    try #require(outcome.end == .exited(0), "\(outcome.errors)")
                    return outcome.output.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
                }
                #expect(try run(backends[0].port, 1).first?.first == "own0,GET,0,upgrade", "it offers nothing")
                let sessions = try run(routed.replica.port, 12)
                #expect(sessions.count == 12)
                for answers in sessions {
                    let name = answers.first?.prefix { $0 != "," } ?? ""
                    #expect(answers == ["GET,0", "POST,100000", "GET,0", "POST,300000"].map { "\(name),\($0)" })
                }
                #expect(Set(sessions.compactMap { $0.first?.prefix { $0 != "," } }).count > 1)
            }
        }

        @Test("curl, given one cookie twice for two paths, stays on both")
        func twoPaths() async throws {
            let cookies = ["JSESSIONID=app-#; Path=/app", "JSESSIONID=root-#; Path=/"]
            try await Self.withReplica("appCookie: JSESSIONID", issuing: cookies) { routed in
                for _ in 0..<12 {
                    let served = try Self.curl(["/app/a", "/app/b", "/", "/app/c", "/c"], routed)
                    #expect(served.count == 5 && Set(served).count == 1, "\(served)")
                }
            }
        }

        @Test("curl, with the cookie of an application that is named and no more, stays where that began")
        func learntByDefault() async throws {
            for sticky in ["appCookie: JSESSIONID", "appCookie: JSESSIONID, cookie: { name: own }"] {
                try await Self.withReplica(sticky, issuing: ["JSESSIONID=#; Path=/"]) { routed in
                    for _ in 0..<12 {
                        let served = try Self.curl(["/start", "/a", "/b"], routed)
                        #expect(served.count == 3 && Set(served).count == 1, "\(served)")
                    }
                }
            }
        }

        @Test("curl, that sends a session id in the query beside our cookie, stays where our cookie began")
        func queryBesideCookie() async throws {
            try await Self.withReplica("query: sid, cookie: { name: own }", issuing: []) { routed in
                for number in 0..<12 {
                    let served = try Self.curl(["/poll", "/poll?sid=\(number)", "/poll?sid=\(number)"], routed)
                    #expect(served.count == 3 && Set(served).count == 1, "\(served)")
                }
            }
        }

        @Test("curl, that drops our cookie at its Max-Age, has it renewed while it asks")
        func maxAge() async throws {
            try await Self.withReplica("cookie: { name: own, maxAge: 2 }", issuing: []) { routed in
                let jar = "\(routed.directory)/jar"
                func session() throws -> String? {
                    try TextFile.read(jar).split(separator: "\n").first { $0.contains("\town\t") }?
                        .split(separator: "\t").last.map { String($0.prefix(24)) }
                }
                _ = try Self.curl(["/"], routed, jar: jar)
                let first = try #require(try session())
                for _ in 0..<7 {
                    usleep(500_000)
                    _ = try Self.curl(["/"], routed, jar: jar)
                    // Version, key number and session id are its beginning.
                    #expect(try session() == first)
                }
            }
        }
    }
}
