import Testing

@testable import Configuration

@Suite("A duration")
struct DurationTests {
    @Test(
        "is read as Go writes it, or as seconds",
        arguments: [
            ("500ms", .milliseconds(500)), ("1m30s", .seconds(90)), ("1.5h", .seconds(5400)), ("20", .seconds(20)),
            ("0", .zero), ("0s", .zero), ("1h2m3s4ms5us6ns", .nanoseconds(3_723_004_005_006)),
            ("10µs", .microseconds(10)),
            ("0.001s", .milliseconds(1)), ("1.0s", .seconds(1)),
        ] as [(String, Duration)])
    func read(_ text: String, _ expected: Duration) {
        #expect(DurationText.read(text) == expected)
    }

    @Test(
        "that is none is refused",
        arguments: [
            "", "-1s", "+1s", "s", "1d", "1 s", "1m 30s", ".s", "1.s", ".5s", "1s1", "1e3s", "９s",
            "99999999999999999999",
            "99999999999h", "1.1.1s", "ms500",
        ])
    func refused(_ text: String) {
        #expect(DurationText.read(text) == nil)
    }

    @Test("is written so that it is read again", arguments: ["500ms", "1m", "2s", "90m", "36h", "1500ms", "7ns"])
    func written(_ text: String) throws {
        let duration = try #require(DurationText.read(text))
        #expect(DurationText.read(DurationText.write(duration)) == duration)
    }
}
