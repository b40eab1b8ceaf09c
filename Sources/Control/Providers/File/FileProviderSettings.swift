/// Where the dynamic configuration stands beside the main file: `providers.file`.
package struct FileProviderSettings: Equatable, Sendable {
    package enum Source: Equatable, Sendable {
        /// The path of one file.
        case file(String)
        /// The path of a directory, of which all files are read, those in sub-directories too.
        case directory(String)
    }

    package var source: Source
    /// Whether changes are noticed without being told (SIGHUP).
    package var isWatched: Bool

    package init(source: Source, isWatched: Bool = true) {
        self.source = source
        self.isWatched = isWatched
    }
}
