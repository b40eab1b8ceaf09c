/// A word that somebody has written, as messages show it: who reads them needs its beginning, whatever its length.
package enum Excerpt {
    private static let lettersMax = 100

    package static func of(_ word: String) -> String {
        // One Character may be of any length.
        let shown = word.unicodeScalars.prefix(lettersMax)
        return shown.endIndex == word.endIndex ? word : String(word[..<shown.endIndex]) + "…"
    }

    /// A character that is not expected: by its number, as U+00A0, where nobody would see it or tell it from a space.
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
