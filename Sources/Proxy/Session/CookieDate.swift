/// The date in a cookie's `Expires` attribute, as clients read it (RFC 6265, section 5.1.1).
struct CookieDate {
    /// Seconds since 1970; negative before.
    let seconds: Int64

    /// Nil for a text that clients do not accept as a date: they ignore such an attribute.
    init?(_ text: UnsafeRawBufferPointer) {
        var parts = Parts()
        for token in text.split(whereSeparator: Self.isDelimiter) { parts.take(token) }
        guard let seconds = parts.seconds else { return nil }
        self.seconds = seconds
    }

    private static func isDelimiter(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x09, 0x20...0x2F, 0x3B...0x40, 0x5B...0x60, 0x7B...0x7E: true
        default: false
        }
    }

    /// The parts found so far. The first occurrence of each counts.
    private struct Parts {
        typealias Token = Slice<UnsafeRawBufferPointer>

        private var time: (hour: Int64, minute: Int64, second: Int64)?
        private var day: Int64?
        private var month: Int64?
        private var year: Int64?

        mutating func take(_ token: Token) {
            if time == nil, let found = Self.time(token) {
                time = found
            } else if day == nil, let found = Self.number(token, digits: 1...2) {
                day = found
            } else if month == nil, let found = Self.month(token) {
                month = found
            } else if year == nil, let found = Self.number(token, digits: 2...4) {
                year = found < 70 ? found + 2000 : found < 100 ? found + 1900 : found
            }
        }

        var seconds: Int64? {
            guard let time, let day, let month, let year, (1...31).contains(day), year >= 1601, time.hour < 24,
                time.minute < 60, time.second < 60
            else { return nil }
            return Self.days(year, month, day) * 86400 + time.hour * 3600 + time.minute * 60 + time.second
        }

        /// Days since 1970. Calculated in years that begin with March, so that the leap day is the last day.
        private static func days(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
            let year = month < 3 ? year - 1 : year
            let month = month < 3 ? month + 9 : month - 3
            return 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1 - 719_468
        }

        private static func time(_ token: Token) -> (Int64, Int64, Int64)? {
            let parts = token.split(separator: UInt8(ascii: ":"), maxSplits: 2, omittingEmptySubsequences: false)
            guard parts.count == 3, let hour = number(parts[0], digits: 1...2, isWhole: true),
                let minute = number(parts[1], digits: 1...2, isWhole: true),
                let second = number(parts[2], digits: 1...2)
            else { return nil }
            return (hour, minute, second)
        }

        /// The digits that a token begins with, if their number is allowed; unless `isWhole`, other characters may
        /// follow.
        private static func number(_ token: Token, digits: ClosedRange<Int>, isWhole: Bool = false) -> Int64? {
            let found = token.prefix { $0 &- UInt8(ascii: "0") < 10 }
            guard digits.contains(found.count), !isWhole || found.count == token.count else { return nil }
            return found.reduce(0) { $0 * 10 + Int64($1 - UInt8(ascii: "0")) }
        }

        private static func month(_ token: Token) -> Int64? {
            let names: StaticString = "janfebmaraprmayjunjulaugsepoctnovdec"
            guard token.count >= 3 else { return nil }
            let all = UnsafeBufferPointer(start: names.utf8Start, count: names.utf8CodeUnitCount)
            return (0..<12).first { month in
                token.prefix(3).lazy.map(FieldEdit.lowered).elementsEqual(all[month * 3..<month * 3 + 3])
            }.map { Int64($0) + 1 }
        }
    }
}
