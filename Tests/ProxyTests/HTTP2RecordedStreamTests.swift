import Foundation
import LimpetTestKit
import NIOCore
import Testing

@testable import Proxy

/// Streams of bytes that others recorded, right and wrong ones, sent to a proxy and its backend by clients that do not
/// care what is answered.
@Suite("Recorded streams of HTTP/2")
struct HTTP2RecordedStreamTests {
    private static let folder: String? = {
        guard let cases = ProcessInfo.processInfo.environment["LIMPET_CASES"] else { return nil }
        let folder = "\(cases)/http2-streams"
        return FileManager.default.fileExists(atPath: folder) ? folder : nil
    }()

    private struct Recording {
        let name: String
        let bytes: [UInt8]
        /// It begins as the preface of HTTP/2.
        let isHTTP2: Bool
        /// Those that it opens; the last head may be cut.
        let opened: Set<UInt32>

        init(_ name: String, _ bytes: [UInt8]) {
            self.name = name
            self.bytes = bytes
            // After the preface.
            var place = 24
            isHTTP2 = bytes.starts(with: Array("PRI * HTTP/2.0\r\n\r\n".utf8))
            var opened: Set<UInt32> = []
            while isHTTP2, bytes.count >= place + 9 {
                if bytes[place + 3] == 1 {
                    opened.insert(bytes[(place + 5)..<(place + 9)].reduce(0) { $0 << 8 | UInt32($1) } & 0x7fff_ffff)
                }
                place += 9 + bytes[place..<(place + 3)].reduce(0) { $0 << 8 | Int($1) }
            }
            self.opened = opened
        }
    }

    private static func recordings(in folder: String) throws -> [Recording] {
        let names = FileManager.default.enumerator(atPath: folder)?.compactMap { $0 as? String } ?? []
        return try names.sorted().compactMap { name in
            var isFolder: ObjCBool = false
            let path = "\(folder)/\(name)"
            guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), !isFolder.boolValue else {
                return nil
            }
            return try Recording(name, Array(Data(contentsOf: URL(fileURLWithPath: path))))
        }
    }

    /// How many bytes are sent at a time, in turn.
    private static let sizes = [[Int.max], [1], [7, 1, 3, 26, 2]]
    /// Clients at once.
    private static let crowd = 62
    /// Addresses of clients, by which the backend's requests are known. None is used again while the backend may still
    /// hear of a request that was broken off.
    private static let hosts = 4 * crowd

    /// Sends the recordings, and returns what has come back for each.
    private static func play(
        _ recordings: ArraySlice<Recording>, _ sizes: [Int], to proxy: ProxyHarness, _ canary: Canary
    )
        throws -> [[UInt8]]
    {
        let clients = try recordings.indices.map { try TCPSocket(port: proxy.port, timeout: 5, from: Self.host($0)) }
        let pieces = recordings.map { Self.pieces($0.bytes, sizes) }
        for round in 0..<(pieces.map(\.count).max() ?? 0) {
            for (client, pieces) in zip(clients, pieces) where round < pieces.count {
                // What follows a mistake the proxy need not take.
                try? client.send(Array(pieces[round]))
            }
        }
        try canary.sing()
        // What has been asked for in time is answered.
        usleep(50_000)
        for client in clients { client.closeOutput() }
        try canary.sing()
        return clients.map { client in
            var received: [UInt8] = []
            do {
                while case let more = try client.receive(), !more.isEmpty { received += more }
            } catch let failure as TCPSocket.Failure {
                #expect(failure.isReset, "\(failure)")
            } catch { Issue.record(error) }
            return received
        }
    }

    private static func pieces(_ bytes: [UInt8], _ sizes: [Int]) -> [ArraySlice<UInt8>] {
        var rest = bytes[...]
        var pieces: [ArraySlice<UInt8>] = []
        while !rest.isEmpty {
            pieces.append(rest.prefix(sizes[pieces.count % sizes.count]))
            rest = rest.dropFirst(sizes[(pieces.count - 1) % sizes.count])
        }
        return pieces
    }

    private static func host(_ index: Int) -> UInt8 { UInt8(2 + index % hosts) }

    /// A client that does nothing wrong.
    private struct Canary {
        let client: HTTP2Client

        init(_ proxy: ProxyHarness) throws { client = try HTTP2Client(port: proxy.port) }

        func sing() throws {
            let stream = try #require(try client.send("GET", "/canary"))
            try #expect(client.response(to: stream).text == "served /canary")
        }
    }

    /// What has come of the recordings, judged when the addresses of their clients are about to be used again.
    private struct Verdicts {
        private var open: [(recording: Recording, host: UInt8, received: [UInt8])] = []
        private var requests: [String: Int] = [:]
        private(set) var requestCount = 0
        /// By the name of the recording.
        private(set) var faults: [String: [String]] = [:]

        mutating func add(_ recordings: ArraySlice<Recording>, _ received: [[UInt8]]) {
            for (index, bytes) in zip(recordings.indices, received) {
                open.append((recordings[index], host(index), bytes))
            }
        }

        mutating func add(_ some: [StrictBackend.Request]) {
            for request in some where request.target != "/canary" {
                requests[request.values(of: "x-forwarded-for").joined(), default: 0] += 1
                requestCount += 1
            }
        }

        /// - Parameter count: how many may remain open.
        mutating func judge(downTo count: Int) {
            while open.count > count {
                let (recording, host, received) = open.removeFirst()
                let own = requests.removeValue(forKey: "127.0.0.\(host)") ?? 0
                let found = Self.faults(of: recording, received, requests: own)
                if !found.isEmpty { faults[recording.name] = found }
            }
        }

        private static func faults(of recording: Recording, _ received: [UInt8], requests: Int) -> [String] {
            guard recording.isHTTP2 else {
                let isHTTP1 = received.isEmpty || received.starts(with: Array("HTTP/1.1 ".utf8))
                return isHTTP1 ? [] : ["not HTTP/2, and answered with \(received.prefix(40))"]
            }
            let streams = recording.opened
            return HTTP2ServerOutput(received, opened: streams).faults
                + (requests > streams.count ? ["\(requests) requests of \(streams.count) streams"] : [])
        }
    }

    @Test(
        "end or are answered by frames that are right, with a request to the backend for each stream at most",
        .enabled(if: folder != nil, "SKIPPED: there is no folder http2-streams where LIMPET_CASES says"),
        .timeLimit(.minutes(5)), arguments: sizes)
    func streams(_ sizes: [Int]) async throws {
        let recordings = try Self.recordings(in: #require(Self.folder))
        #expect(recordings.count >= 100)
        let backend = try StrictBackend()
        var options = ProxyHarness.Options()
        options.serviceLimits.pool.idleTimeout = .milliseconds(300)
        try await withProxy(to: [backend.port], options) { proxy in
            let canary = try Canary(proxy)
            var verdicts = Verdicts()
            for start in stride(from: 0, to: recordings.count, by: Self.crowd) {
                let some = recordings[start..<min(start + Self.crowd, recordings.count)]
                try verdicts.add(some, Self.play(some, sizes, to: proxy, canary))
                try await #expect(eventually { try await proxy.counters().requestsInFlight == 0 })
                try await #expect(eventually { try await proxy.onLoop { $0.openClients } == 1 })
                verdicts.add(backend.takeRequests())
                verdicts.judge(downTo: Self.hosts - Self.crowd)
            }
            canary.client.socket.close()
            try await #expect(eventually { try await proxy.onLoop { $0.openClients } == 0 })
            try await #expect(eventually { try await proxy.counters().backendConnections == 0 })
            #expect(try await proxy.counters().impossible == 0)
            verdicts.add(backend.takeRequests())
            verdicts.judge(downTo: 0)
            for (name, faults) in verdicts.faults { #expect(faults.isEmpty, "\(name): \(faults)") }
            #expect(backend.faults.isEmpty, "\(backend.faults)")
            #expect(verdicts.requestCount > 100)
            let wrong = verdicts.faults.count
            let way = sizes[0] == .max ? "at once" : "in pieces of \(sizes.map(String.init).joined(separator: ", "))"
            ConformanceLine.write("recorded streams", .passed, way, count: recordings.count - wrong)
            if wrong > 0 { ConformanceLine.write("recorded streams", .failed, way, count: wrong) }
        }
    }
}
