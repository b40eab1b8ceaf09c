import Testing

@testable import Control

@Suite("Waiting until files are at rest")
struct QuietPeriodTests {
    private static let begin = ContinuousClock.now

    private static func at(_ milliseconds: Int) -> ContinuousClock.Instant { begin + .milliseconds(milliseconds) }

    @Test("it is over when nothing has happened for 100 ms")
    func quiet() {
        var period = Debounce()
        #expect(period.end == nil)
        period.happened(at: Self.at(0))
        period.happened(at: Self.at(60))
        let early = period.isOver(at: Self.at(159))
        let late = period.isOver(at: Self.at(160))
        let again = period.isOver(at: Self.at(500))
        #expect(!early && late && !again)
        #expect(period.end == nil)
    }

    @Test("it ends after a second however much happens")
    func longest() {
        var period = Debounce()
        for time in stride(from: 0, through: 990, by: 10) { period.happened(at: Self.at(time)) }
        #expect(period.end == Self.at(1000))
        let isOver = period.isOver(at: Self.at(1000))
        #expect(isOver)
    }
}
