/// Finds the word that the user probably meant.
package enum SpellingSuggestion {
    /// Longer words are not compared: comparing two words takes as many steps as the product of their lengths.
    private static let lettersMax = 256

    /// The candidate nearest to `word`, compared case-insensitively, if at most a third of its letters differ. Among
    /// equally near candidates, the first.
    package static func nearest(to word: String, among candidates: some Sequence<String>) -> String? {
        guard word.utf8.count <= lettersMax else { return nil }
        let letters = Array(word.lowercased().utf8)
        var best: (name: String, distance: Int)?
        for candidate in candidates {
            let other = Array(candidate.lowercased().utf8)
            let distanceMax = max(letters.count, other.count) / 3
            guard abs(letters.count - other.count) <= distanceMax else { continue }
            let distance = distance(letters, other)
            guard distance <= distanceMax else { continue }
            if distance < best?.distance ?? .max { best = (candidate, distance) }
        }
        return best?.name
    }

    /// The number of insertions, deletions, replacements and swaps of neighbours that turn one word into the other.
    private static func distance(_ left: [UInt8], _ right: [UInt8]) -> Int {
        var beforePrevious: [Int] = []
        var previous = Array(0...right.count)
        for row in left.indices {
            var current = [row + 1]
            for column in right.indices {
                let replaced = previous[column] + (left[row] == right[column] ? 0 : 1)
                var cost = min(replaced, previous[column + 1] + 1, current[column] + 1)
                if row > 0, column > 0, left[row] == right[column - 1], left[row - 1] == right[column] {
                    cost = min(cost, beforePrevious[column - 1] + 1)
                }
                current.append(cost)
            }
            beforePrevious = previous
            previous = current
        }
        return previous[right.count]
    }
}
