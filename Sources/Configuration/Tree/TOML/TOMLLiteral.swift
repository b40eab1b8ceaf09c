/// TOML values without quotation marks: numbers, booleans and times.
enum TOMLLiteral {
    /// The value as written; integers in decimal, numbers without underscores.
    static func read(_ word: String, _ place: Diagnostic.Place) throws(TOMLError) -> String {
        if ["true", "false", "inf", "+inf", "-inf", "nan", "+nan", "-nan"].contains(word) { return word }
        if let number = number(word) { return number }
        if isTime(word) { return word }
        // The word may be a password whose quotes were forgotten, so the message does not show it.
        throw TOMLError(
            message: "expected a number, a boolean or a time: put strings in quotes", place: place)
    }

    private static func number(_ word: String) -> String? {
        for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] where word.hasPrefix(prefix) {
            let digits = word.dropFirst(2)
            guard isGrouped(digits, { $0.isHexDigit }) else { return nil }
            return Int(digits.filter { $0 != "_" }, radix: radix).map(String.init)
        }
        let unsigned = word.hasPrefix("+") || word.hasPrefix("-") ? word.dropFirst() : word[...]
        let sign = word.hasPrefix("-") ? "-" : ""
        let exponentParts = unsigned.split(maxSplits: 1, omittingEmptySubsequences: false) { $0 == "e" || $0 == "E" }
        let parts = exponentParts[0].split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        guard isWhole(parts[0]), parts.count == 1 || isGrouped(parts[1], isDigit) else { return nil }
        let text = sign + unsigned.filter { $0 != "_" }
        guard exponentParts.count == 2 else { return parts.count == 2 ? text : Int(text).map(String.init) }
        let exponent = exponentParts[1].drop { $0 == "+" || $0 == "-" }
        guard exponentParts[1].count - exponent.count <= 1, isGrouped(exponent, isDigit) else { return nil }
        return text
    }

    private static func isDigit(_ character: Character) -> Bool { character.isASCII && character.isNumber }

    /// Without a leading zero.
    private static func isWhole(_ digits: Substring) -> Bool {
        isGrouped(digits, isDigit) && (digits.count == 1 || !digits.hasPrefix("0"))
    }

    /// Digits, with single underscores between them.
    private static func isGrouped(_ digits: Substring, _ isDigit: (Character) -> Bool) -> Bool {
        digits.split(separator: "_", omittingEmptySubsequences: false).allSatisfy {
            !$0.isEmpty && $0.allSatisfy(isDigit)
        }
    }

    /// A date, a time, or both (RFC 3339), with or without an offset.
    private static func isTime(_ word: String) -> Bool {
        let date = /(\d{4})-(\d\d)-(\d\d)/
        let time = /(\d\d):(\d\d):(\d\d)(\.\d+)?/
        let both = /(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d(?:\.\d+)?)(?:[Zz]|[+-](\d\d):(\d\d))?/
        if let match = word.wholeMatch(of: both) {
            let offset = (Int(match.3 ?? "0") ?? 99, Int(match.4 ?? "0") ?? 99)
            return isTime(String(match.1)) && isTime(String(match.2)) && offset.0 < 24 && offset.1 < 60
        }
        if let match = word.wholeMatch(of: date) {
            guard let year = Int(match.1), let month = Int(match.2), let day = Int(match.3) else { return false }
            let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
            let days = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
            return (1...12).contains(month) && (1...days[month - 1]).contains(day)
        }
        guard let match = word.wholeMatch(of: time), let hour = Int(match.1), let minute = Int(match.2),
            let second = Int(match.3)
        else { return false }
        return hour < 24 && minute < 60 && second <= 60
    }
}
