import Affinity
import Foundation
import LimpetTestKit
import Proxy
import Testing

@testable import Configuration
@testable import Control

@Suite("The access log")
struct AccessLogTests {
    private static let none = QueryRedaction(names: [String]())

    private static func line(
        target: [UInt8] = Array("/".utf8), method: [UInt8] = Array("GET".utf8), host: [UInt8] = [],
        redacting: QueryRedaction = none, _ change: (inout AccessLogEntry) -> Void = { _ in }
    ) -> [UInt8] {
        var record = AccessLogEntry(
            time: WallTime(seconds: 0, nanoseconds: 0), entryPoint: "web", clientHost: "10.0.0.9", status: 200)
        change(&record)
        return target.withUnsafeBytes { target in
            method.withUnsafeBytes { method in
                host.withUnsafeBytes { host in
                    (record.target, record.method, record.host) = (target, method, host)
                    return record.line(redacting: redacting)
                }
            }
        }
    }

    @Test("says all that is known, with Traefik's keys")
    func whole() {
        let line = Self.line(target: Array("/a?b=c".utf8), host: Array("shop.example".utf8)) { record in
            record.durationNanoseconds = 5000
            record.originDurationNanoseconds = 4000
            (record.router, record.service, record.backend) = ("shop", "shop", "web-1")
            record.backendAddress = "10.0.0.11:8080"
            record.clientPort = 4711
            record.requestByteCount = 3
            record.originStatus = 404
            record.status = 404
            record.responseByteCount = 100
            record.retryCount = 1
            record.provenance = .cached
            record.fingerprint = Fingerprint(high: 1, low: 2)
            record.epoch = 3
            record.cause = Cause(.responseCut)
            record.failedAttempt = Cause(.connectFailed, "No route to host")
        }
        #expect(
            String(decoding: line, as: UTF8.self) == """
                {"time":"1970-01-01T00:00:00.000000Z","Duration":5000,"OriginDuration":4000,"Overhead":1000,\
                "entryPointName":"web","RouterName":"shop","ServiceName":"shop","Backend":"web-1",\
                "ServiceAddr":"10.0.0.11:8080","ClientHost":"10.0.0.9","ClientPort":"4711","RequestMethod":"GET",\
                "RequestHost":"shop.example","RequestPath":"/a?b=c","RequestProtocol":"HTTP/1.1",\
                "RequestContentSize":3,"OriginStatus":404,"DownstreamStatus":404,"DownstreamContentSize":100,\
                "RetryAttempts":1,"FailedAttempt":"connect_failed","FailedAttemptDetail":"No route to host",\
                "Reason":"response_cut","Provenance":"cached","SessionFingerprint":"AAAAAAAAAA","Epoch":3}

                """)
    }

    @Test("leaves out what is not known")
    func refused() {
        let line = Self.line(target: [], method: []) { _ in }
        #expect(
            String(decoding: line, as: UTF8.self) == """
                {"time":"1970-01-01T00:00:00.000000Z","Duration":0,"entryPointName":"web","ClientHost":"10.0.0.9",\
                "DownstreamStatus":200,"DownstreamContentSize":0}

                """)
    }

    @Test("writes one valid line of JSON for any bytes")
    func anyBytes() async throws {
        try await Threads.run {
            var generator = SeededRandom(seed: 20_260_101)
            for round in 0..<5000 {
                let bytes = (0..<Int.random(in: 1...60, using: &generator)).map { _ in
                    UInt8.random(in: 0...255, using: &generator)
                }
                let line = Self.line(target: bytes, method: bytes.reversed(), host: bytes)
                #expect(line.last == UInt8(ascii: "\n"))
                #expect(!line.dropLast().contains { $0 < 0x20 || $0 == 0x7F }, "round \(round)")
                let object = try JSONSerialization.jsonObject(with: Data(line)) as? [String: Any]
                #expect(
                    object?["RequestPath"] as? String == String(decoding: bytes, as: UTF8.self),
                    "round \(round): \(bytes)")
            }
        }
    }

    @Test(
        "escapes what could act on a terminal or end a line",
        arguments: [
            ("\u{1B}[2J", "\\u001b[2J"), ("a\r\nb", "a\\r\\nb"), ("\u{2028}", "\\u2028"), ("\u{2029}", "\\u2029"),
            ("\u{9B}31m", "\\u009b31m"), ("\u{7F}", "\\u007f"), ("\"\\", "\\\"\\\\"), ("\t\0", "\\t\\u0000"),
            ("\u{202E}", "\\u202e"), ("ä€😀", "ä€😀"),
        ])
    func escapes(_ text: String, _ expected: String) {
        let line = String(decoding: Self.line(target: Array(text.utf8)), as: UTF8.self)
        #expect(line.contains("\"RequestPath\":\"\(expected)\","))
    }

    @Test(
        "hides session keys in the query",
        arguments: [
            ("/a?sid=secret", "/a?sid=REDACTED"), ("/a?x=1&sid=secret&y=2", "/a?x=1&sid=REDACTED&y=2"),
            ("/a?sid=secret&sid=secret", "/a?sid=REDACTED&sid=REDACTED"), ("/a?s%69d=secret", "/a?s%69d=REDACTED"),
            ("/a?x;sid=secret", "/a?x;sid=REDACTED"), ("/a?sid=se;secret", "/a?sid=REDACTED"),
            ("/a?sid=se=cret", "/a?sid=REDACTED"), ("/a?sid=", "/a?sid=REDACTED"), ("/a?sid", "/a?sid"),
            ("/a?my+key=secret", "/a?my+key=REDACTED"), ("/a?xsid=1&sidx=2", "/a?xsid=1&sidx=2"), ("/a?&&", "/a?&&"),
            ("/sid=1", "/sid=1"), ("/a?", "/a?"), ("/a?b?sid=1", "/a?b?sid=1"), ("", ""),
        ])
    func redacts(_ target: String, _ expected: String) {
        let redaction = QueryRedaction(names: ["sid", "my key"])
        let redacted = Array(target.utf8).withUnsafeBytes { redaction.redact($0) }
        #expect(String(decoding: redacted, as: UTF8.self) == expected)
    }

    @Test("hides the parameters that any service reads session keys from")
    func redactsConfigured() throws {
        let yaml = "http: { services: { shop: { loadBalancer: { sticky: { query: token, header: h } } } } }"
        let redaction = QueryRedaction(try ReplicaConfiguration.read(yaml).http.services)
        let line = Self.line(target: Array("/?token=secret&h=1".utf8), redacting: redaction)
        #expect(String(decoding: line, as: UTF8.self).contains("\"RequestPath\":\"/?token=REDACTED&h=1\""))
    }

    @Test("reaches its file whole, from several threads, before it is closed")
    func writes() async throws {
        let path = TemporaryFile.path()
        defer { try? FileManager.default.removeItem(atPath: path) }
        try Data("before\n".utf8).write(to: URL(fileURLWithPath: path))
        let log = try AccessLog(AccessLogSettings(filePath: path))
        await withTaskGroup { group in
            for writer in 0..<4 {
                group.addTask {
                    for number in 0..<1000 { log.append(Array("\(writer) \(number)\n".utf8)) }
                }
            }
        }
        await log.close()
        let lines = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n")
        #expect(lines.count == 4001 && lines[0] == "before")
        for writer in 0..<4 {
            #expect(lines.filter { $0.hasPrefix("\(writer) ") } == (0..<1000).map { "\(writer) \($0)" })
        }
        #expect(log.droppedCount == 0)
        log.append([1])
        #expect(log.droppedCount == 1)
        await log.close()
    }

    @Test("drops and counts what a reader that stands still leaves no room for")
    func drops() async throws {
        let path = TemporaryFile.path()
        try #require(mkfifo(path, 0o600) == 0)
        defer { unlink(path) }
        signal(SIGPIPE, SIG_IGN)
        let reader = open(path, O_RDONLY | O_NONBLOCK)
        let log = try AccessLog(AccessLogSettings(filePath: path))
        let line = [UInt8](repeating: UInt8(ascii: "x"), count: 1 << 20)
        for _ in 0..<20 { log.append(line) }
        #expect(log.droppedCount >= 20 - 2 * 4)
        close(reader)
        await log.close()
        #expect(log.droppedCount == 20)
    }

    @Test("says in one sentence that its file cannot be opened")
    func unopenable() throws {
        let error = try #require(throws: AccessLogError.self) {
            try AccessLog(AccessLogSettings(filePath: "/nowhere/access.log"))
        }
        #expect(error.description == "the access log /nowhere/access.log cannot be opened: no such file or directory")
    }
}
