/// Where the dynamic part of the configuration comes from, in addition to the main file: `providers`.
package struct ProviderSettings: Equatable, Sendable {
    /// Nil: only the main file is read.
    package var file: FileProviderSettings?
    /// Nil: containers are not read.
    package var docker: DockerProviderSettings?
    /// How long changes are collected after the first one: `providersThrottleDuration`.
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
        /// All `.yml`, `.yaml` and `.toml` files in it and in its subdirectories.
        case directory(String)
    }

    package var source: Source
    /// Whether changes to the files take effect at once.
    package var isWatched: Bool

    package init(source: Source, isWatched: Bool = true) {
        self.source = source
        self.isWatched = isWatched
    }
}
