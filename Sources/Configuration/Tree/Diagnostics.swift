/// Collects the diagnostics of one source while it is read, so that all are reported together.
final class Diagnostics {
    let source: Diagnostic.Source
    private(set) var hasErrors = false
    private var diagnostics: [Diagnostic] = []

    init(_ source: Diagnostic.Source) {
        self.source = source
    }

    /// Whether the source is labels: keys are mostly lowercase, and lists are separated by commas.
    var isLabels: Bool {
        if case .container = source { true } else { false }
    }

    /// - Parameter lines: show the place, below the message. Both are escaped, so that configured text cannot break
    ///   them.
    func add(
        _ message: String, at place: Diagnostic.Place?, key: String, severity: Diagnostic.Severity = .error,
        lines: [String] = []
    ) {
        if severity == .error { hasErrors = true }
        let text = ([message] + lines).map(EscapedText.line).joined(separator: "\n")
        diagnostics.append(Diagnostic(severity: severity, source: source, place: place, key: key, message: text))
    }

    /// Sorted by position; at the same position, in the order found. Diagnostics without a position come first.
    var sorted: [Diagnostic] {
        diagnostics.enumerated()
            .sorted { left, right in
                guard left.element.place != right.element.place else { return left.offset < right.offset }
                guard let own = left.element.place else { return true }
                guard let other = right.element.place else { return false }
                return own < other
            }
            .map(\.element)
    }
}
