import Foundation
import LimpetTestKit
import Logging
import Testing

@testable import Configuration
@testable import Control

@Suite("The log")
struct LogTests {
    private static func line(_ format: LogSettings.Format, _ event: LogEvent, metadata: Logger.Metadata = [:]) -> String
    {
        var handler = LineLogHandler(label: "limpet", settings: LogSettings(level: .info, format: format))
        handler.metadata = metadata
        let time = WallTime(seconds: 1_767_225_599, nanoseconds: 123_456_789)
        return String(decoding: handler.line(of: event, at: time), as: UTF8.self)
    }

    private static func event(_ message: Logger.Message, _ metadata: Logger.Metadata? = nil) -> LogEvent {
        LogEvent(level: .warning, message: message, metadata: metadata, source: nil, file: "f", function: "g", line: 1)
    }

    @Test("in JSON is one object a line")
    func json() {
        let line = Self.line(
            .json, Self.event("store lost", ["b": "2", "level": "x"]), metadata: ["a": "1", "b": "0"])
        #expect(
            line == """
                {"time":"2025-12-31T23:59:59.123456Z","level":"warning","logger":"limpet","message":"store lost",\
                "a":"1","b":"2","level_":"x"}

                """)
    }

    @Test("for people is one line, whatever stands in it")
    func common() {
        let line = Self.line(.common, Self.event("a\nb\u{1B}[31m", ["n": "7", "t": "x y", "e": "", "q": "a\"b"]))
        #expect(
            line == "2025-12-31T23:59:59.123456Z WARNING a\\nb\\u001b[31m e=\"\" n=7 q=\"a\\\"b\" t=\"x y\"\n")
    }

    @Test("has the level that is configured")
    func level() {
        let logger = LogSettings(level: .error, format: .json).logger("limpet")
        #expect(logger.logLevel == .error)
        for level in LogSettings.Level.allCases {
            #expect(Logger.Level(rawValue: level.rawValue) != nil)
        }
    }

    @Test(
        "writes moments as RFC 3339",
        arguments: [
            (0, "1970-01-01T00:00:00.000000Z"), (951_782_400, "2000-02-29T00:00:00.000000Z"),
            (4_107_542_399, "2100-02-28T23:59:59.000000Z"), (4_107_542_400, "2100-03-01T00:00:00.000000Z"),
            (-1, "1969-12-31T23:59:59.000000Z"), (1_709_164_800, "2024-02-29T00:00:00.000000Z"),
        ] as [(Int64, String)])
    func moments(_ seconds: Int64, _ text: String) {
        #expect(WallTime(seconds: seconds, nanoseconds: 0).text == text)
    }

    @Test("writes every seventh day of two centuries as Foundation does")
    func days() async throws {
        try await Threads.run {
            let formatter = ISO8601DateFormatter()
            for day in stride(from: Int64(-20_000), to: 60_000, by: 7) {
                let text = WallTime(seconds: day * 86400 + 3723, nanoseconds: 0).text
                let expected = formatter.string(from: Date(timeIntervalSince1970: Double(day * 86400 + 3723)))
                #expect(text.prefix(19) == expected.prefix(19))
            }
        }
    }
}
