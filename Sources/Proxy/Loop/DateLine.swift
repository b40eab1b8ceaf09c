/// A Date field as a line (IMF-fixdate, RFC 9110, section 5.6.7), rendered again when the second changes.
struct DateLine {
    private var text = Array("Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n".utf8)
    private var second: UInt32 = 0

    /// - Parameter second: seconds since 1970.
    mutating func line(at second: UInt32) -> [UInt8] {
        if second != self.second {
            self.second = second
            render()
        }
        return text
    }

    private mutating func render() {
        let days = Int(second / 86400)
        let clock = Int(second % 86400)
        let (year, month, day) = Self.date(days)
        put("ThuFriSatSunMonTueWed", days % 7, at: 6)
        put(day, at: 11)
        put("JanFebMarAprMayJunJulAugSepOctNovDec", month - 1, at: 14)
        put(year / 100, at: 18)
        put(year % 100, at: 20)
        put(clock / 3600, at: 23)
        put(clock / 60 % 60, at: 26)
        put(clock % 60, at: 29)
    }

    /// Writes two digits.
    private mutating func put(_ number: Int, at place: Int) {
        text[place] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: number / 10)
        text[place + 1] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: number % 10)
    }

    /// Writes one of several three-letter names.
    private mutating func put(_ names: StaticString, _ index: Int, at place: Int) {
        for offset in 0..<3 { text[place + offset] = names.utf8Start[index * 3 + offset] }
    }

    /// The date of a day, counted from 1970-01-01. Calculated in years that begin with March, so that the leap day is
    /// the last day.
    private static func date(_ days: Int) -> (year: Int, month: Int, day: Int) {
        let shifted = days + 719_468
        let century = (4 * shifted + 3) / 146_097
        let dayOfCentury = shifted - 146_097 * century / 4
        let yearOfCentury = (4 * dayOfCentury + 3) / 1461
        let dayOfYear = dayOfCentury - 1461 * yearOfCentury / 4
        let month = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * month + 2) / 5 + 1
        let year = 100 * century + yearOfCentury + (month < 10 ? 0 : 1)
        return (year, month < 10 ? month + 3 : month - 9, day)
    }
}
