/// A word that somebody has written, as messages show it: who reads them needs its beginning, whatever its length.
package enum ShownWord {
    private static let lettersMax = 100

    package static func of(_ word: String) -> String {
        // One Character may be of any length.
        let shown = word.unicodeScalars.prefix(lettersMax)
        return shown.endIndex == word.endIndex ? word : String(word[..<shown.endIndex]) + "…"
    }
}
