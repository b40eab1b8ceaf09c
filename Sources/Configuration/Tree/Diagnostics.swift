/// Collects the mistakes of one source while it is read, so that all are reported together.
final class Diagnostics {
    let source: Diagnostic.Source
    private(set) var hasErrors = false
    private var diagnostics: [Diagnostic] = []

    init(_ source: Diagnostic.Source) {
        self.source = source
    }

    /// Whether keys are mostly written in small letters, and lists with commas.
    var isLabels: Bool {
        if case .container = source { true } else { false }
    }

    /// - Parameter lines: what shows the mistake, under its message. Neither is broken by what somebody has written.
    func add(
        _ message: String, at place: Diagnostic.Place?, key: String, severity: Diagnostic.Severity = .error,
        lines: [String] = []
    ) {
        if severity == .error { hasErrors = true }
        let text = ([message] + lines).map(EscapedText.line).joined(separator: "\n")
        diagnostics.append(Diagnostic(severity: severity, source: source, place: place, key: key, message: text))
    }

    /// By place; of one place in the order of finding. Those without a place come first.
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
