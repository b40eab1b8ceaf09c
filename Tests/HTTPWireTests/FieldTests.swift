import HTTPWire
import Testing

@Suite("Field lines")
struct FieldTests {
    private func verdict(_ lines: String, limits: MessageLimits = MessageLimits()) -> Scanned<RequestValues> {
        scanRequest("GET / HTTP/1.1\r\nHost: a\r\n" + lines + "\r\n", limits: limits)
    }

    @Test(
        "a value is given without the white space around it, and otherwise byte by byte",
        arguments: [
            ("X:1\r\n", "1"), ("X: 1\r\n", "1"), ("X:\t 1 2\t3 \t\r\n", "1 2\t3"), ("X:\r\n", ""), ("X: \t \r\n", ""),
            ("X: a:b\r\n", "a:b"), ("X: \u{80}\u{FF}\u{E9}\r\n", "\u{80}\u{FF}\u{E9}"), ("X: \"\\\"~!\r\n", "\"\\\"~!"),
        ])
    func values(line: String, value: String) {
        #expect(verdict(line).values?.fields.last?.text == value)
    }

    @Test("every token character may stand in a name, at every place of a word")
    func tokenCharacters() {
        let characters = "!#$%&'*+-.^_`|~0123456789ABCXYZabcxyz"
        for prefix in 0..<9 {
            let name = String(repeating: "q", count: prefix) + characters
            #expect(verdict("\(name): v\r\n").values?.fields.last?.name == name)
        }
    }

    @Test("no other byte may stand in a name, at any place of a word")
    func noOtherNames() {
        let allowed = Set(bytes("!#$%&'*+-.^_`|~0123456789:") + Array(0x41...0x5A) + Array(0x61...0x7A))
        for byte in UInt8.min...UInt8.max where !allowed.contains(byte) {
            for prefix in 0..<9 {
                let line = Array(repeating: 0x71, count: prefix) + [byte] + bytes("q: v\r\n\r\n")
                let scan = scanRequest(bytes("GET / HTTP/1.1\r\nHost: a\r\n") + line)
                #expect(scan.refusal != nil, "\(byte) after \(prefix)")
            }
        }
    }

    @Test("no control character but HTAB may stand in a value, at any place of a word")
    func controlCharacters() {
        for byte in UInt8.min...UInt8.max {
            for prefix in 0..<9 {
                let line = bytes("X: ") + Array(repeating: 0x71, count: prefix) + [byte] + bytes("qqqqqqqqq\r\n\r\n")
                let scan = scanRequest(bytes("GET / HTTP/1.1\r\nHost: a\r\n") + line)
                let isAllowed = byte == 0x09 || (byte >= 0x20 && byte != 0x7F)
                #expect((scan.values != nil) == isAllowed, "\(byte) after \(prefix)")
            }
        }
    }

    @Test(
        "a malformed field line is refused for its own reason",
        arguments: [
            (": v\r\n", .emptyFieldName), ("X : v\r\n", .whiteSpaceInFieldName), ("X\t: v\r\n", .whiteSpaceInFieldName),
            (" X: v\r\n", .foldedLine), ("\tX: v\r\n", .foldedLine), ("X: a\r\n b\r\n", .foldedLine),
            ("X\r\n", .malformedFieldName), ("X Y: v\r\n", .whiteSpaceInFieldName), ("X(: v\r\n", .malformedFieldName),
            ("\0X: v\r\n", .malformedFieldName), ("X: \0\r\n", .malformedFieldValue),
            ("X: a\u{7F}\r\n", .malformedFieldValue),
            ("X: a\u{1B}[1m\r\n", .malformedFieldValue), ("\u{E9}: v\r\n", .malformedFieldName),
        ] as [(String, HeadRefusal)])
    func refused(line: String, refusal: HeadRefusal) {
        #expect(verdict(line).refusal == refusal)
        #expect(refusal.status == 400)
    }

    @Test("each well-known name is recognised in lower, upper and mixed case, and nothing near it is")
    func names() {
        for name in FieldName.allCases where name != .other && name != .xForwardedOther && name != .transferEncoding {
            let spelling = "\(name.lowercase)"
            let mixed = String(spelling.enumerated().map { $0 % 2 == 0 ? Character($1.uppercased()) : $1 })
            for written in [spelling, spelling.uppercased(), mixed] {
                let table = FieldTable()
                _ = scanResponse(bytes("HTTP/1.1 200 OK\r\n\(written): 1\r\n\r\n"), into: table)
                #expect(table.count == 1 && table[0].name == name || name == .connection, "\(written)")
            }
            for near in [spelling + "x", "x" + spelling, String(spelling.dropLast()) + "~"] {
                let table = FieldTable()
                _ = scanResponse(bytes("HTTP/1.1 200 OK\r\n\(near): 1\r\n\r\n"), into: table)
                #expect(table[0].name == .other || table[0].name == .xForwardedOther, "\(near)")
            }
        }
    }

    @Test("names that begin with X-Forwarded- are known as such")
    func forwardedNames() {
        let values = verdict("X-FORWARDED-Tls: 1\r\nx-forwarded-uri: 2\r\nX-Forwarded: 3\r\nX-Forwarded-: 4\r\n").values
        #expect(values?.fields.dropFirst().map(\.kind) == [.xForwardedOther, .xForwardedOther, .other, .other])
    }

    @Test(
        "a request field that a CGI backend would take for a well-known one is refused",
        arguments: [
            "Content_Length", "content-length_", "Transfer_Encoding", "Transfer__Encoding", "Transfer--Encoding",
            "TRANSFER_ENCODING", "X_Forwarded_For", "X-Forwarded_Host", "X__Forwarded-Anything", "X_Real_IP",
            "Proxy_Authorization",
            "Keep_Alive", "set_cookie", "Content-_Type", "Proxy--Connection",
        ])
    func aliases(name: String) {
        let isAlias = name != "content-length_"
        #expect((verdict("\(name): 1\r\n").refusal == .underscoreAlias) == isAlias)
        #expect(scanResponse("HTTP/1.1 200 OK\r\n\(name): 1\r\n\r\n").values != nil)
    }

    @Test(
        "other names with underscores and hyphens pass",
        arguments: [
            "My_Header", "user_id", "_", "__", "-", "--", "_host", "host_", "X_Forwarded", "sec--ch-ua", "a__b",
            "proxy_authorization_proxy_authorization", "Transfer_Encodings",
        ])
    func noAliases(name: String) {
        #expect(verdict("\(name): 1\r\n").values?.fields.last?.name == name)
    }

    @Test("one field of the limit passes, one byte more is 431 before it ends")
    func fieldLimit() {
        var limits = MessageLimits()
        limits.field = 20
        #expect(verdict("X: 45678901234567890\r\n", limits: limits).values != nil)
        #expect(verdict("X: 456789012345678901\r\n", limits: limits).refusal == .fieldTooLarge)
        let head = "GET / HTTP/1.1\r\nHost: a\r\n"
        #expect(scanRequest(head + "X: 45678901234567890", limits: limits) == .incomplete)
        #expect(scanRequest(head + "X: 456789012345678901", limits: limits).refusal == .fieldTooLarge)
        #expect(scanRequest(head + String(repeating: "n", count: 21), limits: limits).refusal == .fieldTooLarge)
        #expect(HeadRefusal.fieldTooLarge.status == 431)
    }

    @Test("all fields together are held to their limit")
    func sectionLimit() {
        var limits = MessageLimits()
        limits.fieldSection = 9 + 10
        #expect(verdict("X: 45678\r\n", limits: limits).values != nil)
        #expect(verdict("X: 456789\r\n", limits: limits).refusal == .fieldSectionTooLarge)
        #expect(verdict("X: 45678\r\nY:\r\n", limits: limits).refusal == .fieldSectionTooLarge)
        #expect(HeadRefusal.fieldSectionTooLarge.status == 431)
    }

    @Test("the number of fields is held to its limit, and to the table's room")
    func countLimit() {
        let lines = String(repeating: "X: 1\r\n", count: 99)
        #expect(verdict(lines).values?.fields.count == 100)
        #expect(verdict(lines + "X: 1\r\n").refusal == .tooManyFields)
        let small = FieldTable(capacity: 2)
        let head = "GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n"
        #expect(scanRequest(bytes(head + "\r\n"), into: small).values?.fields.count == 2)
        #expect(scanRequest(bytes(head + "Y: 1\r\n\r\n"), into: small).refusal == .tooManyFields)
        #expect(small.count == 0)
        #expect(HeadRefusal.tooManyFields.status == 431)
    }

    @Test("limits that make no sense are brought into range")
    func absurdLimits() {
        var limits = MessageLimits()
        (limits.requestLine, limits.field, limits.fieldSection, limits.fieldCount) = (.max, .max, .max, .max)
        #expect(verdict("X: 1\r\n", limits: limits).values != nil)
        (limits.requestLine, limits.field, limits.fieldSection, limits.fieldCount) = (.min, .min, .min, .min)
        #expect(verdict("X: 1\r\n", limits: limits).refusal == .requestLineTooLong)
    }
}
