import Testing

@testable import Proxy

@Suite("Dates of cookies")
struct CookieDateTests {
    @Test(
        "are read in every form that clients read",
        arguments: [
            ("Thu, 01 Jan 1970 00:00:00 GMT", 0), ("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777),
            ("Sunday, 06-Nov-94 08:49:37 GMT", 784_111_777), ("Sun Nov  6 08:49:37 1994", 784_111_777),
            ("Tue, 29 Feb 2000 12:00:00 GMT", 951_825_600), ("Wed, 01-Mar-2000 00:00:00 GMT", 951_868_800),
            ("Mon, 01 Mar 2100 00:00:00 GMT", 4_107_542_400), ("1 jan 69 0:0:0", 3_124_224_000),
            ("31 DEC 1969 23:59:59x", -1), ("Fri, 31 Dec 9999 23:59:59 GMT", 253_402_300_799),
        ])
    func read(_ text: String, _ seconds: Int64) {
        #expect(Self.seconds(text) == seconds)
    }

    @Test(
        "are none where a part is missing or is not there",
        arguments: [
            "", "0", "-1", "yesterday", "06 Nov 1994", "Nov 1994 08:49:37", "06 1994 08:49:37", "06 Nov 08:49:37",
            "00 Nov 1994 08:49:37", "32 Nov 1994 08:49:37", "06 Nov 1600 08:49:37", "06 Nov 1994 24:00:00",
            "06 Nov 1994 08:60:00", "06 Nov 1994 08:49:60", "06 Nov 1994 08:49", "06 Nov 19940 08:49:37",
            "006 Nov 1994 08:49:37", "06 Nov 1994 008:49:37", "99999999999999999999 Nov 1994 1:1:1",
        ])
    func none(_ text: String) {
        #expect(Self.seconds(text) == nil)
    }

    private static func seconds(_ text: String) -> Int64? {
        Array(text.utf8).withUnsafeBytes { CookieDate($0)?.seconds }
    }
}
