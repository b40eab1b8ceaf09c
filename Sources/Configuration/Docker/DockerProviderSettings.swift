/// `providers.docker`: which containers of which Engine contribute to the configuration. Keys, defaults and meaning are
/// Traefik's. The texts are validated by `DockerSelection` and `DockerEndpoint`.
package struct DockerProviderSettings: Equatable, Sendable {
    /// Traefik keys that have no counterpart here.
    package static let unavailableKeys = ["httpClientTimeout", "password", "tls", "useBindPortIP", "username"]

    /// See `DockerEndpoint`.
    package var endpoint = "unix:///var/run/docker.sock"
    /// Whether a container without the label `traefik.enable` counts.
    package var exposedByDefault = true
    /// See `DockerRuleTemplate`.
    package var defaultRule = "Host(`{{ normalize .Name }}`)"
    /// See `DockerConstraint`; empty: every container counts.
    package var constraints = ""
    /// The network in which containers are reached unless they name one; empty: see `DockerSelection`.
    package var network = ""
    /// Whether changes are followed after the first listing.
    package var watch = true
    /// Whether a running container that is starting or unhealthy keeps its router, without a server.
    package var allowEmptyServices = false

    package init() {}
}

/// What is wrong with a setting of the Docker provider.
package struct DockerSettingError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The key below `providers.docker`.
    package let key: String
    package let message: String

    init(_ key: String, _ message: String) {
        self.key = key
        self.message = message
    }

    package var description: String { "providers.docker.\(key): \(message)" }
}
