/// Why a rule was refused or is doubtful, and at which position.
package struct RuleError: Error, Equatable, Sendable {
    /// In bytes of the rule's UTF-8, from 0 to its length (the end, if something is missing).
    package let offset: Int
    package let message: String

    /// Two lines for display: the line of the rule that contains the error, and a caret below the position.
    package func caret(under rule: String) -> String {
        let bytes = Array(rule.utf8)
        let place = min(offset, bytes.count)
        let start = bytes[..<place].lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
        let end = bytes[place...].firstIndex(of: UInt8(ascii: "\n")) ?? bytes.count
        let line = String(decoding: bytes[start..<end], as: UTF8.self)
        let column = String(decoding: bytes[start..<place], as: UTF8.self).count
        return line + "\n" + String(repeating: " ", count: column) + "^"
    }
}
