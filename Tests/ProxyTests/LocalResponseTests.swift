import HTTPWire
import NIOCore
import Testing

@testable import Proxy

@Suite("Answers of our own")
struct LocalResponseTests {
    private struct Refused: Error { let lines: [String] }

    private static func written(
        _ answer: LocalResponse, edits: FieldEdits? = nil, closing: Bool = false, bodiless: Bool = false
    ) -> (lines: [String], body: String, count: UInt64) {
        var buffer = ByteBuffer()
        let date = Array("Date: now\r\n".utf8)
        let count = answer.write(into: &buffer, edits: edits, date: date, closing: closing, bodiless: bodiless)
        let parts = String(buffer: buffer).split(separator: "\r\n\r\n", maxSplits: 1, omittingEmptySubsequences: false)
        return (parts[0].split(separator: "\r\n").map(String.init), String(parts.last ?? ""), count)
    }

    @Test(
        "say their status with its usual words, and how long they are",
        arguments: Reason.allCases.filter { ($0.status ?? 0) >= 400 })
    func errors(_ reason: Reason) throws {
        let (lines, body, count) = Self.written(LocalResponse(reason))
        #expect(lines[0].hasPrefix("HTTP/1.1 \(reason.status ?? 0) ") && lines[0].utf8.count > 13)
        #expect(body == lines[0].dropFirst(9) + "\n" && count == UInt64(body.utf8.count))
        #expect(lines.contains("Content-Length: \(body.utf8.count)") && lines.contains("Date: now"))
        let scan = Array((lines + ["", ""]).joined(separator: "\r\n").utf8).withUnsafeBytes {
            HeadScanner(limits: MessageLimits()).scanResponse($0, requestMethod: .get, into: FieldTable())
        }
        guard case .head = scan else { throw Refused(lines: lines) }
    }

    @Test("have a status without usual words all the same")
    func unusual() {
        let (lines, body, _) = Self.written(LocalResponse(.addressRefused, status: 599))
        #expect(lines[0] == "HTTP/1.1 599 " && body == "599\n" && lines.contains("Content-Length: 4"))
    }

    @Test("to HEAD state their length and have no body")
    func bodiless() {
        let (lines, body, count) = Self.written(LocalResponse(.noRoute), bodiless: true)
        #expect(lines.contains("Content-Length: 14") && body.isEmpty && count == 0)
    }

    @Test("say that the connection closes where it does")
    func closing() {
        #expect(Self.written(LocalResponse(.badRequest), closing: true).lines.contains("Connection: close"))
        #expect(!Self.written(LocalResponse(.badRequest)).lines.contains { $0.hasPrefix("Connection") })
    }

    @Test("keep what they say of themselves, whatever middlewares set; what else these set is added")
    func edits() {
        var edits = FieldEdits()
        for name in ["Content-Type", "LOCATION", "www-authenticate", "Retry-After", "X-More"] {
            edits.apply(.set(name: name, value: "other"))
        }
        let (lines, _, _) = Self.written(.redirect(to: Array("https://h/".utf8), status: 308), edits: edits)
        #expect(lines.contains("Location: https://h/") && lines.contains("X-More: other"))
        #expect(lines.filter { $0.hasSuffix(": other") } == ["X-More: other"])
    }

    @Test("have a reason that is a label in metrics")
    func labels() {
        #expect(Reason.allCases.allSatisfy { $0.rawValue.utf8.allSatisfy { $0 == 0x5F || (0x61...0x7A).contains($0) } })
        #expect(LocalResponse.unauthorized(realm: "r").cause == Cause(.unauthorized))
        #expect(LocalResponse.tooManyPasswords.cause == Cause(.passwordsOverloaded))
        let redirect = LocalResponse.redirect(to: Array("/x".utf8), status: 302)
        #expect(redirect.location == "/x" && redirect.cause == Cause(.redirected))
        #expect(LocalResponse(.noRoute).location == nil)
    }

    @Test("to a head that is refused say what is wrong with it", arguments: HeadRefusal.allCases)
    func heads(_ refusal: HeadRefusal) {
        let cause = Cause(request: refusal)
        #expect(cause.reason.status == refusal.status && cause.detail == "\(refusal.reason)")
    }
}
