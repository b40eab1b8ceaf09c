/// Where the main file says what TLS the listeners have, for mistakes that only all files together show.
struct ListenerTLSPlaces {
    private let diagnostics: Diagnostics
    private let root: SettingSection?

    init(_ main: SourceTree) {
        (diagnostics, root) = (main.diagnostics, main.root)
    }

    /// - Parameters:
    ///   - name: of an entry point.
    ///   - key: below `tls`; nil: `tls` itself.
    func add(_ message: String, at name: String, key: String? = nil, severity: Diagnostic.Severity = .error) {
        let keys = ["entryPoints", name, "http", "tls"] + (key.map { [$0] } ?? [])
        diagnostics.add(
            message, at: root?.value(below: keys)?.place, key: keys.joined(separator: "."), severity: severity)
    }
}
