/// Collects the mistakes of one file while it is read, so that all are reported together.
final class MistakeList {
    let file: String
    private var mistakes: [Mistake] = []

    init(file: String) {
        self.file = file
    }

    func add(_ message: String, at place: Mistake.Place?, key: String, severity: Mistake.Severity = .error) {
        mistakes.append(Mistake(severity: severity, file: file, place: place, key: key, message: message))
    }

    var hasErrors: Bool { mistakes.contains { $0.severity == .error } }

    /// By place; of one place in the order of finding. Those without a place come first.
    var sorted: [Mistake] {
        mistakes.enumerated()
            .sorted { left, right in
                guard left.element.place != right.element.place else { return left.offset < right.offset }
                guard let own = left.element.place else { return true }
                guard let other = right.element.place else { return false }
                return own < other
            }
            .map(\.element)
    }
}
