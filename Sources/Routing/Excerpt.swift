/// Shortens user input for messages: readers need its beginning, whatever its length.
package enum Excerpt {
    private static let lettersMax = 100

    package static func of(_ word: String) -> String {
        // A single Character may be arbitrarily long.
        let shown = word.unicodeScalars.prefix(lettersMax)
        return shown.endIndex == word.endIndex ? word : String(word[..<shown.endIndex]) + "…"
    }

    /// An unexpected character. Shown by its number, such as U+00A0, if it is invisible or looks like a space.
    package static func of(_ character: Character) -> String {
        guard let first = character.unicodeScalars.first, isInvisible(first) else { return of(String(character)) }
        let digits = String(first.value, radix: 16, uppercase: true)
        return "U+" + String(repeating: "0", count: max(0, 4 - digits.count)) + digits
    }

    private static func isInvisible(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .spaceSeparator, .lineSeparator, .paragraphSeparator, .privateUse, .surrogate,
            .unassigned:
            true
        default: scalar.properties.isDefaultIgnorableCodePoint
        }
    }
}
