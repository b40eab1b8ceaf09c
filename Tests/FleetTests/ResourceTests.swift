import Foundation
import LimpetTestKit
import Synchronization
import Testing

extension FleetTests {
    /// The numbers are those of an optimised build, which `LIMPET_RELEASE_BIN` names; another one has some slack.
    @Suite("Memory, descriptors and slow clients")
    struct ResourceTests {
        private static let isRelease = LimpetProgram.releasePath != nil
        private static let mebi = 1 << 20

        private static func resident(_ fleet: Fleet) throws -> Int {
            try ProcessStatus(fleet.replicas[0].process.pid).resident
        }

        /// Requests over new connections, so that what is made once is made.
        private static func warm(_ fleet: Fleet, _ request: HTTPRequest) throws {
            for _ in 0..<100 {
                _ = try HTTPConnection(port: fleet.ports[0]).exchange(request).servedBy()
            }
        }

        @Test("an idle replica is small, also with a large cache; sessions cost what the cache reserves for them")
        func idle() async throws {
            try await withFleet(.init(replicas: 1, cacheEntries: 1_000_000)) { fleet in
                let (idle, full) = try await Threads.run {
                    let idle = try Self.resident(fleet)
                    let client = FleetClient(fleet)
                    for number in 0..<5000 { _ = try client.backend(of: "session-\(number)", at: 0) }
                    return (idle, try Self.resident(fleet))
                }
                print("idle: \(idle / 1024) KiB; with 5,000 sessions in a cache for 1,000,000: \(full / 1024) KiB")
                #expect(idle <= (Self.isRelease ? 40 : 60) * Self.mebi)
                // All slots of such a cache take 50 MB.
                #expect(full <= idle + 56 * Self.mebi)
            }
        }

        @Test("an idle connection costs at most 12 KiB, also after a head of 16 KiB")
        func idleConnections() async throws {
            let head = HTTPRequest(
                fields: Dictionary(
                    uniqueKeysWithValues: (0..<64).map { ("X-Field-\($0)", String(repeating: "v", count: 240)) }))
            try await withFleet(.init(replicas: 1, store: nil)) { fleet in
                for (name, request) in [("unused", nil), ("after 16 KiB", head)] {
                    let bytes = try await Threads.run {
                        try Self.warm(fleet, head)
                        let before = try Self.resident(fleet)
                        let connections = try (0..<2000).map { _ in try HTTPConnection(port: fleet.ports[0]) }
                        if let request {
                            for connection in connections { _ = try connection.exchange(request).servedBy() }
                        }
                        try Self.awaitConnections(fleet.replicas[0], connections.count)
                        let after = try Self.resident(fleet)
                        connections.forEach { $0.socket.close() }
                        try Self.awaitConnections(fleet.replicas[0], 0)
                        return (after - before) / connections.count
                    }
                    print("an idle connection, \(name): \(bytes) bytes")
                    #expect(bytes <= (Self.isRelease ? 12 : 16) * 1024, "\(name)")
                }
            }
        }

        @Test("an idle connection with TLS costs at most 24 KiB, used or not", arguments: [false, true])
        func idleTLS(isUsed: Bool) async throws {
            let bytes = try await Self.idleTLS(isUsed ? TLSCrowd.request : nil)
            print("an idle connection with TLS, \(isUsed ? "used" : "unused"): \(bytes) bytes")
            #expect(bytes <= (Self.isRelease ? 24 : 32) * 1024)
        }

        @Test("an idle connection of HTTP/2 with TLS costs at most 40 KiB")
        func idleTLSHTTP2() async throws {
            let request = HTTP2Frame.request.map { ($0, $0 == ":authority" ? "shop.example" : $1) }
            let bytes = try await Self.idleTLS(HTTP2Frame.preface + HTTP2Frame.head(request), over: "h2")
            print("an idle connection of HTTP/2 with TLS: \(bytes) bytes")
            #expect(bytes <= (Self.isRelease ? 40 : 48) * 1024)
        }

        /// Bytes a connection.
        private static func idleTLS(_ request: [UInt8]?, over alpn: String = "http/1.1") async throws -> Int {
            try await Threads.run {
                var bytes = 0
                try withTLSFleet(TLSFleet(TLSFleet.dynamic)) { fleet in
                    let replica = fleet.replicas[0]
                    func crowd(_ count: Int, _ request: [UInt8]?) throws -> TLSCrowd {
                        try TLSCrowd(count, port: replica.port, request: request, over: alpn, in: fleet.directory)
                    }
                    // Few, since what they leave behind is not counted.
                    try crowd(20, request ?? TLSCrowd.request).close()
                    try awaitConnections(replica, 0)
                    let before = try ProcessStatus(replica.process.pid).resident
                    let connections = try crowd(1000, request)
                    try awaitConnections(replica, 1000)
                    let after = try ProcessStatus(replica.process.pid).resident
                    connections.close()
                    try awaitConnections(replica, 0)
                    bytes = (after - before) / 1000
                }
                return bytes
            }
        }

        @Test("an idle connection of HTTP/2 costs at most 20 KiB, used or not", arguments: [false, true])
        func idleHTTP2(isUsed: Bool) async throws {
            try await withFleet(.init(replicas: 1, store: nil)) { fleet in
                let bytes = try await Threads.run {
                    // Few, since what they leave behind is not counted.
                    try Self.connect(20, over: fleet, asks: true).forEach { $0.socket.close() }
                    try Self.awaitConnections(fleet.replicas[0], 0)
                    let before = try Self.resident(fleet)
                    let clients = try Self.connect(1000, over: fleet, asks: isUsed)
                    let after = try Self.resident(fleet)
                    clients.forEach { $0.socket.close() }
                    return (after - before) / clients.count
                }
                print("an idle connection of HTTP/2, \(isUsed ? "used" : "unused"): \(bytes) bytes")
                #expect(bytes <= (Self.isRelease ? 20 : 28) * 1024)
            }
        }

        /// HTTP/2.
        private static func connect(_ count: Int, over fleet: Fleet, asks: Bool) throws -> [HTTP2Client] {
            let clients = try (0..<count).map { _ in try HTTP2Client(port: fleet.ports[0]) }
            for client in clients where asks {
                let stream = try #require(try client.send())
                try #require(try client.response(to: stream).status == 200)
            }
            try awaitConnections(fleet.replicas[0], count)
            return clients
        }

        @Test("a WebSocket that is silent costs at most 8 KiB, both its connections together")
        func silentTunnels() async throws {
            let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\n"
            let echo = try ScriptedBackend { connection, _ in
                _ = try connection.receive(until: "\r\n\r\n")
                connection.setTimeout(seconds: 60)
                try connection.send("HTTP/1.1 101 Switching Protocols\r\n\(upgrade)\r\n")
                while case let bytes = try connection.receive(), !bytes.isEmpty { try connection.send(bytes) }
            }
            defer { echo.close() }
            let options = Fleet.Options(replicas: 1, backends: 0, store: nil, ownBackends: [echo.port])
            try await withFleet(options) { fleet in
                let bytes = try await Threads.run {
                    // One session for all: what sessions cost is the cache's.
                    func open() throws -> TCPSocket {
                        let client = try TCPSocket(port: fleet.ports[0])
                        try client.send("GET / HTTP/1.1\r\nHost: h\r\nX-Session-ID: s\r\n\(upgrade)\r\n")
                        _ = try client.receive(until: "\r\n\r\n")
                        try client.send("a message")
                        try #expect(client.receive(until: "a message") == "a message")
                        return client
                    }
                    func awaitTunnels(_ count: Int) throws {
                        let isSo = try Waiting.until(within: 10) {
                            try fleet.replicas[0].metric("limpet_open_tunnels") == Double(count)
                        }
                        try #require(isSo, "there are not \(count) tunnels")
                    }
                    for _ in 0..<100 { try open().close() }
                    try awaitTunnels(0)
                    let before = try Self.resident(fleet)
                    let clients = try (0..<2000).map { _ in try open() }
                    try awaitTunnels(clients.count)
                    let after = try Self.resident(fleet)
                    clients.forEach { $0.close() }
                    try awaitTunnels(0)
                    return (after - before) / clients.count
                }
                print("a silent tunnel: \(bytes) bytes")
                #expect(bytes <= (Self.isRelease ? 8 : 12) * 1024)
            }
        }

        @Test(
            "a connection that has ended leaves nothing behind, whatever it became",
            arguments: ["h2c", "plain beside TLS"])
        func ended(kind: String) async throws {
            try await Threads.run {
                let dynamic = TLSFleet.dynamic.replacingOccurrences(
                    of: "tls: true } }", with: "tls: true }, plain: { rule: \"PathPrefix(`/`)\", service: app } }")
                try withTLSFleet(TLSFleet(dynamic)) { fleet in
                    let replica = fleet.replicas[0]
                    func connect(_ count: Int) throws -> Int {
                        for _ in 0..<count {
                            if kind == "h2c" {
                                let client = try HTTP2Client(port: replica.port)
                                try client.read()
                            } else {
                                _ = try HTTPConnection(port: replica.port).exchange(HTTPRequest("GET", "/"))
                            }
                        }
                        let metric = "limpet_open_connections{entrypoint=\"web\"}"
                        try #require(try Waiting.until(within: 20) { try replica.metric(metric) == 0 })
                        return try ProcessStatus(replica.process.pid).resident
                    }
                    let before = try connect(2000)
                    let bytes = (try connect(6000) - before) / 6000
                    print("a connection that has ended, \(kind): \(bytes) bytes")
                    #expect(bytes < 250)
                }
            }
        }

        private static func awaitConnections(_ replica: LimpetProcess, _ count: Int) throws {
            let metric = "limpet_open_connections{entrypoint=\"web\"}"
            guard try Waiting.until(within: 20, { try replica.metric(metric) == Double(count) }) else {
                throw Unexpected(description: "there are not \(count) connections")
            }
        }

        @Test("a download that nobody reads and an upload that nobody takes are held back")
        func backPressure() async throws {
            let size = (Self.isRelease ? 1024 : 256) * Self.mebi
            let isOver = ScriptedBackend.Flag()
            let stalled = try ScriptedBackend { connection, _ in
                _ = try connection.receive(until: "\r\n\r\n")
                _ = isOver.isSet(within: 60)
            }
            defer { stalled.close() }
            try await withFleet(.init(replicas: 1, backends: 1, store: nil, sticky: "query: sid")) { fleet in
                let (idle, peak, received) = try await Threads.run {
                    let idle = try Self.resident(fleet)
                    let received = try Self.download(fleet, size)
                    return (idle, try ProcessStatus(fleet.replicas[0].process.pid).peak, received)
                }
                print("download of \(size >> 20) MiB: \(idle / 1024) KiB idle, \(peak / 1024) KiB at most")
                #expect(received == size)
                #expect(peak <= idle + 64 * Self.mebi)
            }
            let options = Fleet.Options(replicas: 1, backends: 0, store: nil, ownBackends: [stalled.port])
            try await withFleet(options) { fleet in
                let (idle, peak, sent) = try await Threads.run {
                    // The replica would wait for it when it stops.
                    defer { isOver.set() }
                    let idle = try Self.resident(fleet)
                    let sent = try Self.upload(fleet, size)
                    return (idle, try ProcessStatus(fleet.replicas[0].process.pid).peak, sent)
                }
                print(
                    "upload to a stalled backend: \(sent >> 10) KiB taken, \(idle / 1024) KiB idle, \(peak / 1024) KiB at most"
                )
                // All that the kernel's buffers of two connections hold, and no more.
                #expect(sent < 160 * Self.mebi)
                #expect(peak <= idle + 64 * Self.mebi)
            }
        }

        /// Reads nothing for a second, then all. Returns the bytes of the body.
        private static func download(_ fleet: Fleet, _ size: Int) throws -> Int {
            let connection = try HTTPConnection(port: fleet.ports[0])
            try connection.send(HTTPRequest("GET", "/bytes?n=\(size)"))
            _ = try connection.receiveHead()
            // In which as much comes as will.
            Thread.sleep(forTimeInterval: 1)
            var received = 0
            while received < size {
                let piece = try connection.receiveBody()
                guard !piece.isEmpty else { break }
                received += piece.count
            }
            return received
        }

        /// Sends for two seconds what is taken. Returns how much was.
        private static func upload(_ fleet: Fleet, _ size: Int) throws -> Int {
            let socket = try TCPSocket(port: fleet.ports[0], timeout: 1)
            try socket.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: \(size)\r\n\r\n")
            let piece = [UInt8](repeating: UInt8(ascii: "x"), count: 16384)
            let end = ContinuousClock.now + .seconds(2)
            var sent = 0
            while sent < size, ContinuousClock.now < end {
                do { try socket.send(piece) } catch { break }
                sent += piece.count
            }
            return sent
        }

        @Test("clients that send a byte a second are answered with 408 after 10 s, and delay nobody")
        func slowloris() async throws {
            try await withFleet(.init(replicas: 1)) { fleet in
                let isOver = Mutex(false)
                async let canary = FixedRate(rate: 50, threads: 4).run(fleet, isOver: { isOver.withLock { $0 } }) {
                    ("canary-\($0 % 20)", 0)
                }
                let slow = try await Threads.run {
                    defer { isOver.withLock { $0 = true } }
                    return try Self.crawl(fleet, connections: 200)
                }
                let samples = try await canary
                print("p99 beside 200 slow clients: \(samples.lastingP99) ms in most seconds; \(samples.figures)")
                #expect(samples.count > 400)
                #expect(samples.allSatisfy { $0.failure == nil })
                #expect(samples.lastingP99 < 100)
                #expect(slow.count == 200)
                let odd = slow.filter { !$0.answer.hasPrefix("HTTP/1.1 408 ") || !(9.5...13).contains($0.seconds) }
                #expect(odd.isEmpty)
            }
        }

        private static func crawl(_ fleet: Fleet, connections: Int) throws -> [(answer: String, seconds: Double)] {
            let begin = ContinuousClock.now
            let sockets = try (0..<connections).map { _ in try TCPSocket(port: fleet.ports[0]) }
            for (second, letter) in "GET / HTT".enumerated() {
                let wait = (begin + .seconds(second) - .now) / .seconds(1)
                if wait > 0 { Thread.sleep(forTimeInterval: wait) }
                for socket in sockets { try socket.send(String(letter)) }
            }
            return try sockets.map { socket in
                let answer = String(decoding: try socket.receiveAll(), as: UTF8.self)
                return (answer, (ContinuousClock.now - begin) / .seconds(1))
            }
        }

        @Test("no descriptors left: no spinning, and service again when there are")
        func descriptors() async throws {
            let limited = ["/bin/sh", "-c", "ulimit -n 128; exec \"$0\" \"$@\""]
            try await withFleet(.init(replicas: 1, prefix: limited)) { fleet in
                let (share, isServing) = try await Threads.run {
                    let replica = fleet.replicas[0]
                    let idle = try (0..<300).map { _ in try TCPSocket(port: replica.port) }
                    // The admin listener, too, is asked in vain.
                    let admin = try TCPSocket(port: replica.adminPort)
                    let isFull = try Waiting.until(within: 10) {
                        try ProcessStatus.descriptors(of: replica.process.pid) == 128
                    }
                    #expect(isFull)
                    let before = try ProcessStatus(replica.process.pid).cpu
                    Thread.sleep(forTimeInterval: 2)
                    let share = (try ProcessStatus(replica.process.pid).cpu - before) / 2
                    (idle + [admin]).forEach { $0.close() }
                    let isServing = Waiting.until(within: 5) {
                        (try? FleetClient(fleet).backend(of: "s", at: 0)) != nil
                    }
                    return (share, isServing)
                }
                print("without descriptors: \(Int(share * 100)) % of a core")
                #expect(share < 0.2)
                #expect(isServing)
            }
        }
    }
}
