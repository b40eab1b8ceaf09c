import HTTPWire
import Testing

@Suite("The field table")
struct FieldTableTests {
    private static let start = "GET / HTTP/1.1\r\nHost: a\r\n"

    /// The field lines that are left of `lines` when hop-by-hop fields are removed.
    private func kept(
        _ lines: String, keepingUpgrade: Bool = false, isProtected: (UnsafeRawBufferPointer) -> Bool = { _ in false }
    ) throws -> String {
        let head = bytes(Self.start + lines + "\r\n")
        let table = FieldTable()
        _ = try #require(scanRequest(head, into: table).values)
        head.withUnsafeBytes {
            table.removeHopByHop(in: $0, keepingUpgrade: keepingUpgrade, isProtected: isProtected)
        }
        return String(keptBytes(table, head).unicodeScalars.dropFirst("Host: a\r\n".unicodeScalars.count))
    }

    @Test("hop-by-hop fields are removed in any case, framing stays")
    func hopByHop() throws {
        let lines =
            "A: 1\r\nKEEP-alive: x\r\nTe: trailers\r\nB: 2\r\nTransfer-Encoding: chunked\r\nTrailer: C\r\n"
            + "proxy-CONNECTION: x\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\nProxy-Authorization: x\r\n"
            + "Proxy-Authenticate: x\r\nconnection: close\r\nC: 3\r\nConnection: keep-alive\r\n"
        #expect(try kept(lines) == "A: 1\r\nB: 2\r\nTransfer-Encoding: chunked\r\nTrailer: C\r\nC: 3\r\n")
    }

    @Test("what Connection names is removed, on whichever side of it and in whatever case")
    func nominated() throws {
        let lines =
            "X-a: 1\r\nx-A: 2\r\nB: 3\r\nConnection: X-A, close,, b\r\nX-A: 4\r\nConnection: c\r\nC: 5\r\nD: 6\r\n"
        #expect(try kept(lines) == "D: 6\r\n")
    }

    @Test(
        "what frames, routes, authenticates or says where from cannot be stripped by naming it",
        arguments: [
            "Content-Length", "Cookie", "Authorization", "Forwarded", "X-Forwarded-For", "x-forwarded-host",
            "X-FORWARDED-PROTO", "X-Forwarded-Tls-Client-Cert", "X-Real-Ip", "Expect", "Via", "Content-Type",
        ])
    func protected(name: String) throws {
        for option in [name, name.lowercased(), name.uppercased()] {
            #expect(try kept("Connection: close, \(option)\r\n\(name): 1\r\n") == "\(name): 1\r\n")
        }
    }

    @Test("Host and Transfer-Encoding stay when named")
    func protectedFraming() throws {
        let lines = "Connection: host, transfer-encoding\r\nTransfer-Encoding: chunked\r\n"
        let head = bytes(Self.start + lines + "\r\n")
        let table = FieldTable()
        _ = scanRequest(head, into: table)
        head.withUnsafeBytes { table.removeHopByHop(in: $0) }
        #expect(keptBytes(table, head) == "Host: a\r\nTransfer-Encoding: chunked\r\n")
    }

    @Test("the caller's own names are protected too")
    func ownNames() throws {
        let lines = "Connection: X-Own, X-Other\r\nX-Own: 1\r\nX-Other: 2\r\n"
        #expect(try kept(lines, isProtected: { latin1($0) == "X-Own" }) == "X-Own: 1\r\n")
    }

    @Test("Upgrade stays on request, Connection does not")
    func upgrade() throws {
        let lines = "Connection: upgrade\r\nUpgrade: websocket\r\n"
        #expect(try kept(lines, keepingUpgrade: true) == "Upgrade: websocket\r\n")
        #expect(try kept(lines) == "")
    }

    @Test("runs are maximal: one where nothing is removed, and none where everything is")
    func runs() throws {
        let head = bytes(Self.start + "A: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\n\r\n")
        let table = FieldTable()
        let scanned = try #require(scanRequest(head, into: table).values?.head)
        func runs() -> [Range<Int>] {
            var runs: [Range<Int>] = []
            table.forEachKeptRun { runs.append($0) }
            return runs
        }
        #expect(runs() == [scanned.fieldsStart..<(scanned.length - 2)])
        table.remove(2)
        #expect(runs().map { latin1(head[$0]) } == ["Host: a\r\nA: 1\r\n", "C: 3\r\nD: 4\r\n"])
        table.remove(3)
        table.remove(4)
        #expect(runs().map { latin1(head[$0]) } == ["Host: a\r\nA: 1\r\n"])
        table.remove(0)
        #expect(runs().map { latin1(head[$0]) } == ["A: 1\r\n"])
        table.remove(1)
        #expect(runs() == [])
    }

    @Test("a value that was narrowed is passed on so, among lines that pass whole, go, or are narrowed too")
    func narrowed() throws {
        let head = bytes("POST / HTTP/1.1\r\nhost: a: \r\nContent-Length:\t 0050 \r\nA: 1\r\nB: 2\r\n\r\n")
        let table = FieldTable()
        let values = try #require(scanRequest(head, into: table).values)
        #expect(values.head.framing == .length(50))
        #expect(keptBytes(table, head) == "host:a\r\nContent-Length:50\r\nA: 1\r\nB: 2\r\n")
        #expect(table.first(.contentLength) == 1)
        table.remove(2)
        #expect(keptBytes(table, head) == "host:a\r\nContent-Length:50\r\nB: 2\r\n")
        table.remove(0)
        #expect(keptBytes(table, head) == "Content-Length:50\r\nB: 2\r\n")
        table.remove(1)
        #expect(keptBytes(table, head) == "B: 2\r\n")
        #expect(table.first(.contentLength) == nil)
    }

    @Test("searches find kept fields in order, in any case, and nothing else")
    func searches() throws {
        let head = bytes(Self.start + "Cookie: 1\r\nX-Id: 2\r\ncookie: 3\r\nx-ID: 4\r\nX-Id2: 5\r\n\r\n")
        let table = FieldTable()
        _ = try #require(scanRequest(head, into: table).values)
        #expect(table.first(.cookie) == 1)
        #expect(table.next(.cookie, after: 1) == 3)
        #expect(table.next(.cookie, after: 3) == nil)
        #expect(table.first(.expect) == nil)
        head.withUnsafeBytes { bytes in
            #expect(table.firstIndex(named: "x-id", in: bytes) == 2)
            #expect(table.firstIndex(named: "x-i", in: bytes) == nil)
            table.remove(2)
            #expect(table.firstIndex(named: "x-id", in: bytes) == 4)
        }
        table.removeAll(.cookie)
        #expect(table.first(.cookie) == nil)
        #expect(table[3].isRemoved)
    }

    @Test("a table holds the last head only, and nothing after a refusal")
    func reuse() {
        let table = FieldTable()
        _ = scanRequest(bytes(Self.start + "Cookie: 1\r\n\r\n"), into: table)
        #expect(table.count == 2)
        _ = scanRequest(bytes(Self.start + "\r\n"), into: table)
        #expect(table.count == 1)
        #expect(table.first(.cookie) == nil)
        _ = scanRequest(bytes(Self.start + "Bad\r\n\r\n"), into: table)
        #expect(table.count == 0)
        #expect(table.first(.host) == nil)
    }
}

@Suite("A trailer section that came without chunks")
struct TrailersWithoutChunksTests {
    @Test("is read to its empty line, without the fields that are forbidden there")
    func read() throws {
        let table = FieldTable()
        let section = Array("x-sum: 1\r\nage: 2\r\ngrpc-status: 0\r\n\r\n".utf8)
        section.withUnsafeBytes { bytes in
            #expect(table.scanTrailers(bytes, limits: MessageLimits()) == nil)
            var kept: [UInt8] = []
            table.forEachKeptRun { kept += bytes[$0] }
            #expect(String(decoding: kept, as: UTF8.self) == "x-sum: 1\r\ngrpc-status: 0\r\n")
        }
        for wrong in ["x: 1\r\n", "x: 1\r\n\r\ny", "x 1\r\n\r\n"] {
            Array(wrong.utf8).withUnsafeBytes { #expect(table.scanTrailers($0, limits: MessageLimits()) != nil) }
        }
    }
}
