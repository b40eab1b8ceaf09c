import HTTP2Wire
import LimpetTestKit
import Testing

/// Frames that cost their sender nothing. Each flood ends its connection, and ordinary use of the same frames does not.
@Suite struct HTTP2FloodTests {
    private func server(_ first: [UInt8] = []) -> HTTP2Side {
        let server = HTTP2Side(HTTP2Settings(.server))
        server.receive(HTTP2Frame.preface + first)
        _ = server.takeOutput()
        return server
    }

    /// How many frames end the connection; nil: they do not.
    private func count(
        _ server: HTTP2Side, most: Int = 1500, at milliseconds: (Int) -> UInt64 = { _ in 0 }, _ frame: (Int) -> [UInt8]
    ) -> Int? {
        for index in 0..<most {
            server.receive(frame(index), at: milliseconds(index))
            _ = server.takeOutput()
            if server.isEnded { return index + 1 }
        }
        return nil
    }

    private static let floods: [(HTTP2Flood, [UInt8])] = [
        (.pings, HTTP2Frame.frame(type: 6, Array(repeating: 0, count: 8))),
        (.settings, HTTP2Frame.frame(type: 4)),
        (.priorities, HTTP2Frame.frame(type: 2, stream: 1, [0, 0, 0, 0, 1])),
        (.emptyContent, HTTP2Frame.frame(type: 0, stream: 1)),
        (.windowUpdates, HTTP2Frame.frame(type: 8, [0, 0, 0, 1])),
        (.otherFrames, HTTP2Frame.frame(type: 0x10, [0, 0, 0, 1] + Array("u=1".utf8))),
        // Of no known type (RFC 9113, section 5.5), and answers to nothing.
        (.otherFrames, HTTP2Frame.frame(type: 0x20, stream: 1, [1])),
        (.pings, HTTP2Frame.frame(type: 6, flags: 1, Array(repeating: 0, count: 8))),
    ]

    @Test("a flood of frames ends the connection", arguments: floods) func ofOneKind(
        _ flood: HTTP2Flood, _ frame: [UInt8]
    ) throws {
        let server = server(HTTP2Frame.head(ends: false, HTTP2Frame.request))
        let frames = try #require(count(server) { _ in frame })
        #expect((900...1500).contains(frames), "\(flood): \(frames)")
        #expect(server.session.flood == flood)
    }

    private static let closedStreams: [(String, [UInt8])] = [
        ("empty", HTTP2Frame.frame(type: 0, stream: 1)), ("the last", HTTP2Frame.frame(type: 0, flags: 1, stream: 1)),
    ]

    @Test("a flood of empty content on a stream that is closed ends the connection", arguments: closedStreams)
    func onClosedStream(_ name: String, _ frame: [UInt8]) throws {
        let server = server(HTTP2Frame.head(ends: false, HTTP2Frame.request))
        // Before the request is complete: the stream is reset.
        server.send(response: "HTTP/1.1 200 OK\r\n\r\n", on: 1)
        _ = server.takeOutput()
        let frames = try #require(count(server) { _ in frame })
        #expect((900...1500).contains(frames))
        #expect(server.session.flood == .emptyContent)
    }

    @Test("a flood of heads on streams that are closed ends the connection") func headsOnClosedStreams() throws {
        let server = server(HTTP2Frame.head(HTTP2Frame.request))
        server.send(response: "HTTP/1.1 200 OK\r\n\r\n", on: 1)
        _ = server.takeOutput()
        let frames = try #require(count(server) { _ in HTTP2Frame.head(HTTP2Frame.request) })
        #expect((900...1500).contains(frames))
        #expect(server.session.flood == .heads)
    }

    /// Chromium may send one before each frame of content, so that servers keep to passing over them.
    @Test("a frame of an unknown type for each of use is no flood") func unknownFrames() {
        let unknown = HTTP2Frame.frame(type: 0x20, stream: 1, [1])
        let server = server(HTTP2Frame.head(ends: false, HTTP2Frame.request))
        for _ in 0..<3000 {
            server.receive(unknown + HTTP2Frame.frame(type: 0, stream: 1, [0]))
            server.session.consume(1, of: 1)
            _ = server.takeOutput()
        }
        #expect(!server.isEnded)
    }

    @Test("a flood of content that is padding alone ends the connection") func padding() throws {
        let server = server(HTTP2Frame.head(ends: false, HTTP2Frame.request))
        let frames = try #require(
            count(server) {
                HTTP2Frame.frame(type: 0, flags: 8, stream: 1, [UInt8($0 % 9)] + Array(repeating: 0, count: $0 % 9))
            })
        #expect((900...1500).contains(frames))
        #expect(server.session.flood == .emptyContent)
    }

    /// gRPC ends what it sends with empty content. Either end may cross the end of its stream.
    @Test("requests that end after their answer are served, with empty content or trailers", arguments: [false, true])
    func lateEnds(withTrailers: Bool) {
        let server = server()
        for index in 0..<3000 {
            let stream = UInt32(2 * index + 1)
            server.receive(HTTP2Frame.head(stream: stream, ends: false, HTTP2Frame.request))
            server.send(response: "HTTP/1.1 200 OK\r\n\r\n", on: Int32(stream))
            _ = server.takeOutput()
            server.receive(
                withTrailers
                    ? HTTP2Frame.head(stream: stream, [("x", "y")])
                    : HTTP2Frame.frame(type: 0, flags: 1, stream: stream))
        }
        #expect(!server.isEnded)
    }

    /// Streams that are opened and reset at once (CVE-2023-44487).
    @Test("streams that are opened and reset at once end the connection", arguments: [0, 1]) func rapidReset(
        _ milliseconds: UInt64
    ) throws {
        let server = server()
        let frames = try #require(
            count(server, at: { UInt64($0) * milliseconds }) { index in
                let stream = UInt32(2 * index + 1)
                return HTTP2Frame.head(stream: stream, HTTP2Frame.request)
                    + HTTP2Frame.frame(type: 3, stream: stream, [0, 0, 0, 8])
            })
        #expect((900...1100).contains(frames))
        #expect(server.session.flood == .resets)
    }

    /// Streams whose mistakes make the server reset them (CVE-2025-8671).
    @Test("mistakes that cause resets end the connection") func madeToReset() throws {
        let server = server()
        let frames = try #require(
            count(server) { index in
                let stream = UInt32(2 * index + 1)
                return HTTP2Frame.head(stream: stream, HTTP2Frame.request)
                    + HTTP2Frame.frame(type: 8, stream: stream, [0x7f, 0xff, 0xff, 0xff])
            })
        #expect((400...1100).contains(frames))
        #expect(server.session.flood == .resetsSent)
    }

    @Test("no more requests begin at once than may be open, and a tenth of them after many resets") func heads() {
        let server = HTTP2Side(HTTP2Settings(.server))
        var bytes = HTTP2Frame.preface
        for stream in stride(from: UInt32(1), to: 1000, by: 2) {
            bytes += HTTP2Frame.head(stream: stream, HTTP2Frame.request)
            bytes += HTTP2Frame.frame(type: 3, stream: stream, [0, 0, 0, 8])
        }
        var counts: [Int] = []
        while !bytes.isEmpty, counts.count < 100 {
            server.receive(bytes)
            bytes = Array(bytes.suffix(server.session.unreadCount))
            counts.append(server.takeEvents().count { if case .head = $0 { true } else { false } })
        }
        #expect(counts.reduce(0, +) == 500)
        #expect(counts.prefix(2) == [100, 11] && counts.dropFirst().allSatisfy { $0 <= 11 })
    }

    @Test("a head of endless frames ends the connection") func continuations() throws {
        let server = server()
        server.receive(HTTP2Frame.frame(type: 1, flags: 1, stream: 1, HTTP2Frame.block(HTTP2Frame.request)))
        let continuation = HTTP2Frame.frame(type: 9, stream: 1, HTTP2Frame.block([("x", "y")]))
        let frames = try #require(count(server) { _ in continuation })
        #expect(frames < 20)
        #expect(server.session.flood == .fields)
    }

    @Test("answers that are not read end the connection, however slowly they are asked for") func unread() throws {
        let server = server()
        let ping = HTTP2Frame.frame(type: 6, Array(repeating: 0, count: 8))
        for index in 0..<2000 where !server.isEnded { server.receive(ping, at: UInt64(index) * 31) }
        #expect(server.isEnded && server.session.flood == .pings)
        #expect(HTTP2Frame.frame(type: 7, [0, 0, 0, 0, 0, 0, 0, 0xb]) == server.takeOutput().suffix(17))
    }

    /// 33 a second are tolerated for ever.
    @Test func slowly() {
        let server = server()
        let ping = HTTP2Frame.frame(type: 6, Array(repeating: 0, count: 8))
        #expect(count(server, most: 5000, at: { UInt64($0) * 31 }) { _ in ping } == nil)
        let other = self.server()
        let resets = count(other, most: 5000, at: { UInt64($0) * 31 }) { index in
            let stream = UInt32(2 * index + 1)
            return HTTP2Frame.head(stream: stream, HTTP2Frame.request)
                + HTTP2Frame.frame(type: 3, stream: stream, [0, 0, 0, 8])
        }
        #expect(resets == nil)
    }

    /// A browser that leaves a page cancels all its requests.
    @Test("a browser that leaves page after page is served") func cancelledPage() {
        let server = server()
        for page in 0..<4 {
            for image in 0..<50 {
                let stream = UInt32(2 * (50 * page + image) + 1)
                server.receive(HTTP2Frame.head(stream: stream, HTTP2Frame.request))
            }
            for image in 0..<50 {
                let stream = UInt32(2 * (50 * page + image) + 1)
                server.receive(HTTP2Frame.frame(type: 3, stream: stream, [0, 0, 0, 8]))
            }
            _ = server.takeOutput()
        }
        #expect(!server.isEnded)
    }

    /// Whoever receives much opens its windows often, and gRPC sends a ping with it to measure the connection.
    @Test("a receiver that opens its windows and measures by pings is served") func updatesAndPingsOfAReceiver() throws
    {
        let pair = Pair()
        let stream = try #require(pair.client.send(request: "GET / HTTP/1.1\r\nHost: a\r\n\r\n"))
        pair.exchange()
        pair.server.send(response: "HTTP/1.1 200 OK\r\n\r\n", on: stream, ends: false)
        pair.exchange()
        for _ in 0..<5000 {
            pair.server.content[stream, default: []] += [1]
            pair.server.session.resume(stream)
            pair.exchange()
            pair.client.session.consume(1, of: stream)
            pair.server.receive(
                HTTP2Frame.frame(type: 8, stream: UInt32(stream), [0, 0, 0, 1])
                    + HTTP2Frame.frame(type: 8, [0, 0, 0, 1])
                    + HTTP2Frame.frame(type: 6, Array(repeating: 0, count: 8)))
        }
        #expect(!pair.server.isEnded)
    }
}
