import Testing

@testable import Proxy

@Suite("The date of a response")
struct DateLineTests {
    @Test(
        "is written as RFC 9110 wants it",
        arguments: [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"), (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (951_825_600, "Tue, 29 Feb 2000 12:00:00 GMT"), (951_868_800, "Wed, 01 Mar 2000 00:00:00 GMT"),
            (1_704_067_199, "Sun, 31 Dec 2023 23:59:59 GMT"), (1_704_067_200, "Mon, 01 Jan 2024 00:00:00 GMT"),
            (4_107_542_399, "Sun, 28 Feb 2100 23:59:59 GMT"), (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
            (UInt32.max, "Sun, 07 Feb 2106 06:28:15 GMT"),
        ] as [(UInt32, String)])
    func text(second: UInt32, text: String) {
        var date = DateLine()
        #expect(date.line(at: second) == Array("Date: \(text)\r\n".utf8))
        #expect(date.line(at: second) == Array("Date: \(text)\r\n".utf8))
    }

    @Test("reads back as the second that it was written at, over 136 years")
    func roundTrip() {
        var date = DateLine()
        for second in stride(from: UInt32(0), to: .max - 86_399, by: 86_399 * 7 + 1) {
            let line = date.line(at: second)
            let read = line[6..<line.count - 2].withUnsafeBytes { CookieDate($0)?.seconds }
            #expect(read == Int64(second))
        }
    }
}
