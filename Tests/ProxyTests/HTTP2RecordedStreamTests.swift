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
        /// Those that it opens, and those that it names in whatever frame.
        let opened, named: Set<UInt32>

        init(_ name: String, _ bytes: [UInt8]) {
            self.name = name
            self.bytes = bytes
            // After the preface.
            var place = 24
            isHTTP2 = bytes.starts(with: Array("PRI * HTTP/2.0\r\n\r\n".utf8))
            var opened: Set<UInt32> = [], named: Set<UInt32> = []
            while isHTTP2, let frame = HTTP2Frame(bytes, at: &place) {
                named.insert(frame.stream)
                if frame.type == 1 { opened.insert(frame.stream) }
            }
            // The last frame may be cut.
            if isHTTP2, bytes.count >= place + 9 {
                named.insert(bytes[(place + 5)..<(place + 9)].reduce(0) { $0 << 8 | UInt32($1) } & 0x7fff_ffff)
            }
            (self.opened, self.named) = (opened, named)
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
    /// Clients at once, each with an address of its own, by which the backend's requests are known.
    private static let crowd = 64

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

    private static func host(_ index: Int) -> UInt8 { UInt8(2 + index % crowd) }

    /// A client that does nothing wrong.
    private struct Canary {
        let client: HTTP2Client

        init(_ proxy: ProxyHarness) throws { client = try HTTP2Client(port: proxy.port) }

        func sing() throws {
            let stream = try #require(try client.send("GET", "/canary"))
            try #expect(client.response(to: stream).text == "served /canary")
        }
    }

    private static func judge(_ recording: Recording, _ received: [UInt8], _ requests: [StrictBackend.Request])
        -> [String]
    {
        guard recording.isHTTP2 else {
            let isHTTP1 = received.isEmpty || received.starts(with: Array("HTTP/1.1 ".utf8))
            return isHTTP1 ? [] : ["not HTTP/2, and answered with \(received.prefix(40))"]
        }
        let output = HTTP2ServerOutput(received, opened: recording.opened, named: recording.named)
        let isTooMuch = requests.count > recording.opened.count
        return output.faults + (isTooMuch ? ["\(requests.count) requests of \(recording.opened.count) streams"] : [])
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
            var requestCount = 0
            var wrong = 0
            for start in stride(from: 0, to: recordings.count, by: Self.crowd) {
                let some = recordings[start..<min(start + Self.crowd, recordings.count)]
                let received = try Self.play(some, sizes, to: proxy, canary)
                try await #expect(eventually { try await proxy.counters().requestsInFlight == 0 })
                let requests = backend.takeRequests().filter { $0.target != "/canary" }
                requestCount += requests.count
                for (index, bytes) in zip(some.indices, received) {
                    let own = requests.filter { $0.values(of: "x-forwarded-for") == ["127.0.0.\(Self.host(index))"] }
                    let faults = Self.judge(recordings[index], bytes, own)
                    #expect(faults.isEmpty, "\(recordings[index].name): \(faults)")
                    wrong += faults.isEmpty ? 0 : 1
                }
                #expect(backend.faults.isEmpty, "\(backend.faults)")
                try await #expect(eventually { try await proxy.onLoop { $0.openClients } == 1 })
            }
            #expect(requestCount > 100)
            canary.client.socket.close()
            try await #expect(eventually { try await proxy.onLoop { $0.openClients } == 0 })
            try await #expect(eventually { try await proxy.counters().backendConnections == 0 })
            #expect(try await proxy.counters().impossible == 0)
            let way = sizes[0] == .max ? "at once" : "in pieces of \(sizes.map(String.init).joined(separator: ", "))"
            ConformanceLine.write("recorded streams", .passed, way, count: recordings.count - wrong)
            if wrong > 0 { ConformanceLine.write("recorded streams", .failed, way, count: wrong) }
        }
    }
}
