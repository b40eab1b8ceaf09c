import Foundation
import LimpetTestKit
import Synchronization
import Testing

extension FleetTests {
    @Suite("A browser over TLS")
    struct TLSBrowserTests {
        /// What the browser asked for: each target that begins with `/said`, and after it `https` or `http`.
        private final class Said: Sendable {
            private let lines = Mutex<[String]>([])

            var all: [String] { lines.withLock { $0 } }

            func add(_ head: String) {
                let words = head.split(separator: " ")
                guard words.count > 1, words[1].hasPrefix("/said") else { return }
                let scheme = head.contains("X-Forwarded-Proto: https\r\n") ? "https" : "http"
                lines.withLock { $0.append("\(words[1].dropFirst(6)) \(scheme)") }
            }
        }

        /// A page that says which cookies its scripts see, asks twenty times more, and leads to itself without TLS.
        private static let page = """
            <!DOCTYPE html><title>tls</title><script>
            const say = text => fetch("/said?" + text, { method: "POST" });
            const cookies = () => document.cookie.split("; ").map(c => c.split("=")[0]).filter(c => c).join(",") || "none";
            (async () => {
                await say(location.protocol + cookies());
                for (let count = 0; count < 20; count++) await say("more");
                if (location.protocol == "https:") location = "http://" + location.host + "/";
            })();
            </script>
            """

        private static let dynamic = """
            tls: { certificates: [{ certFile: "DIR/served.pem", keyFile: "DIR/served.key" }] }
            http:
              routers:
                secure: { rule: "PathPrefix(`/`)", service: app, tls: true }
                plain: { rule: "PathPrefix(`/`)", service: app }
              services:
                app: { loadBalancer: { sticky: { cookie: { name: shop_sid } }, servers: [{ url: "OWN" }] } }

            """

        /// The groups (RFC 8446, section 4.2.7) whose keys the browser has exchanged, one for each handshake.
        private static func groups(_ fleet: TLSFleet) throws -> [Substring] {
            try TextFile.read("\(fleet.directory)/network.json").matches(of: /"key_exchange_group":(\d+)/).map(\.1)
        }

        @Test(
            "agrees on keys by X25519MLKEM768, keeps the affinity cookie for TLS, and sends it on no plain connection",
            .enabled(if: Browser.path != nil, "SKIPPED: LIMPET_TEST_BROWSER does not name a Chromium"))
        func cookie() async throws {
            let said = Said()
            let backend = try ScriptedBackend { connection, _ in
                while true {
                    let head = try connection.receive(until: "\r\n\r\n")
                    said.add(head)
                    let body = head.hasPrefix("GET / ") ? Self.page : ""
                    try connection.send(
                        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
                    )
                }
            }
            defer { backend.close() }
            let dynamic = Self.dynamic.replacingOccurrences(of: "OWN", with: "http://127.0.0.1:\(backend.port)")
            try await Threads.run {
                try withTLSFleet(TLSFleet(dynamic)) { fleet in
                    try Browser.visit(fleet, until: { said.all.count == 42 }, seen: "\(said.all)") { process in
                        let more = { (scheme: String) in Array(repeating: "more \(scheme)", count: 20) }
                        // The plain page is given a cookie of its own, which cannot take the place of the secure one.
                        #expect(
                            said.all == ["https:shop_sid https"] + more("https") + ["http:none http"] + more("http"))
                        #expect(try fleet.handshakes("1.3", isResumed: false) >= 1)
                        process.signal(SIGTERM)
                        try #require(process.waitForEnd(within: 20) != nil)
                        // X25519MLKEM768, which a quantum computer does not break.
                        let groups = try Self.groups(fleet)
                        #expect(!groups.isEmpty && groups.allSatisfy { $0 == "4588" }, "\(groups)")
                    }
                }
            }
        }
    }
}
