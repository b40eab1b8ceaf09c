/// Where the dynamic part of the configuration comes from, beside the main file: `providers`.
package struct ProviderSettings: Equatable, Sendable {
    /// Nil: the main file alone.
    package var file: FileProviderSettings?
    /// Nil: containers are not asked.
    package var docker: DockerProviderSettings?
    /// How long after a change further ones are gathered: `providersThrottleDuration`.
    package var throttle: Duration

    package init(
        file: FileProviderSettings? = nil, docker: DockerProviderSettings? = nil, throttle: Duration = .seconds(2)
    ) {
        self.file = file
        self.docker = docker
        self.throttle = throttle
    }
}

/// Files with the dynamic part: `providers.file`.
package struct FileProviderSettings: Equatable, Sendable {
    package enum Source: Equatable, Sendable {
        case file(String)
        /// All `.yml`, `.yaml` and `.toml` in it and in its directories.
        case directory(String)
    }

    package var source: Source
    /// Whether a change of them takes effect at once.
    package var isWatched: Bool

    package init(source: Source, isWatched: Bool = true) {
        self.source = source
        self.isWatched = isWatched
    }
}
