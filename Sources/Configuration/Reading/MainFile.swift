/// The main file by itself, as a running replica reads it again: what takes effect at a start alone, and `http` as far
/// as nothing else need be known.
package struct MainFile: Sendable {
    package let source: SourceText
    /// Without routers and services.
    package let configuration: Configuration

    /// - Parameter context: what the routers and services of the running replica depend on.
    /// - Throws: `ConfigurationRefusal` with the file's own mistakes. What its names refer to may stand in other files,
    ///   and is looked up with these.
    package init(
        _ source: SourceText, _ context: HTTPContext, process: ProcessEnvironment = .current
    ) throws(ConfigurationRefusal) {
        let tree = SourceTree(source)
        let configuration = tree.root.map { Configuration($0, process) }
        _ = tree.draft(context)
        guard let configuration, !tree.diagnostics.hasErrors else {
            throw ConfigurationRefusal(diagnostics: tree.diagnostics.sorted)
        }
        self.source = source
        self.configuration = configuration
    }
}
