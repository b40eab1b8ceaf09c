/// The main file alone, as a running replica reads it again: the settings that take effect only at a start, and `http`
/// as far as it can be checked without the other sources.
package struct MainFile: Sendable {
    package let source: SourceText
    /// Without routers and services.
    package let configuration: Configuration

    /// - Parameter context: what the routers and services of the running replica depend on.
    /// - Throws: `ConfigurationRefusal` with the file's own errors. References may lead to other files and are resolved
    ///   together with them.
    package init(
        _ source: SourceText, _ context: HTTPContext, process: ProcessEnvironment = .current
    ) throws(ConfigurationRefusal) {
        let tree = SourceTree(source)
        let configuration = tree.root.map { Configuration($0, process, context.certificateFiles) }
        _ = tree.draft(context)
        _ = tree.tlsDraft(context)
        guard let configuration, !tree.diagnostics.hasErrors else {
            throw ConfigurationRefusal(diagnostics: tree.diagnostics.sorted)
        }
        self.source = source
        self.configuration = configuration
    }
}
