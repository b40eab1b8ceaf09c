/// Reads and links the dynamic configuration of all sources together.
///
/// An error in a file refuses everything. An error in a container leaves out that container only.
package struct HTTPReading {
    /// Nil: refused.
    package let configuration: HTTPConfiguration?
    /// File by file in the order given, each sorted by position; then container by container.
    package let diagnostics: [Diagnostic]

    /// Reads the files that the main file's `serversTransport` names, too.
    ///
    /// - Parameter unreadable: diagnostics of files that could not be read. An error among them refuses everything.
    package init(
        files: [SourceText], unreadable: [Diagnostic] = [], containers: [DockerContribution], context: HTTPContext
    ) {
        let trees = files.map { SourceTree($0) }
        var context = context
        if let main = trees.first(where: { $0.role == .main }) { context.rereadTransportFiles(main) }
        self.init(trees, unreadable: unreadable, containers, context)
    }

    /// - Parameter trees: whose main file's `serversTransport` has been read with its files.
    init(
        _ trees: [SourceTree], unreadable: [Diagnostic], _ containers: [DockerContribution], _ context: HTTPContext
    ) {
        let drafts = trees.compactMap { $0.draft(context) }
        let labels = RoutersFromContainers(containers, besides: drafts, context)
        var linking = HTTPLinking(drafts + labels.drafts, context)
        var linked = linking.configuration()
        let listeners = trees.first { $0.role == .main }.map(ListenerTLSPlaces.init)
        linked.tls =
            TLSLinking(trees.compactMap { $0.tlsDraft(context) }, linking.secureRouters, listeners, context).settings
        let isRefused =
            trees.contains(where: \.diagnostics.hasErrors) || unreadable.contains { $0.severity == .error }
        configuration = isRefused ? nil : linked
        diagnostics = unreadable + trees.flatMap(\.diagnostics.sorted) + labels.diagnostics.flatMap(\.sorted)
    }
}

/// A file with its values, as far as they could be read.
struct SourceTree {
    let role: SourceText.Role
    let diagnostics: Diagnostics
    /// Nil: the file is not even a mapping, which has been reported.
    let root: SettingSection?

    init(_ source: SourceText) {
        role = source.role
        let diagnostics = Diagnostics(.file(source.name))
        if source.role == .dynamic, source.text.utf8.isEmpty {
            // An empty file may be one whose contents are still to be written.
            diagnostics.add("is empty: write http: {} if there are no routes", at: nil, key: "")
        }
        let node =
            switch source.format {
            case .yaml: SettingNode(yaml: source.text, diagnostics)
            case .toml: SettingNode(toml: source.text, diagnostics)
            }
        self.diagnostics = diagnostics
        root = node.flatMap {
            SettingValue(node: $0, key: "", keyPlace: Diagnostic.Place(line: 1, column: 1), diagnostics: diagnostics)
                .section()
        }
    }

    func draft(_ context: HTTPContext) -> HTTPDraft? {
        if role == .dynamic { root?.check(known: ["http", "tls"], unavailable: ["tcp", "udp"]) }
        return root?.section("http").map { HTTPDraft($0, of: diagnostics, context) }
    }

    func tlsDraft(_ context: HTTPContext) -> TLSDraft? {
        root?.section("tls").map { TLSDraft($0, of: diagnostics, context) }
    }
}
