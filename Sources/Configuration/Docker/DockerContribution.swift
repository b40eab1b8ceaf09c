/// What one container contributes to routing: its labels and its state. The labels are not validated yet.
package struct DockerContribution: Equatable, Sendable {
    /// The name shown to people, without the Engine's leading slash.
    package var containerName: String
    /// 64 hexadecimal digits: the stable name of the backend.
    package var containerID: String
    /// Seconds since 1970. If two containers contradict each other, the one created first wins.
    package var created: Int64
    /// All labels, as the Engine reports them.
    package var labels: [String: String]
    /// The container's address: an IPv4 address, an IPv6 address without brackets, or this machine's name. Nil while
    /// the container is not reachable, and if only its labels give an address.
    package var host: String?
    /// Whether the container may get requests: it runs, and is not starting.
    package var isReachable: Bool
    /// The TCP ports that the container exposes, ascending.
    package var exposedPorts: [Int]
    /// The container was told to stop and has not ended, or is paused. It keeps its sessions, and gets new ones only
    /// while no other server is usable.
    package var isDraining: Bool
    /// The container runs and its health check fails: it is configured, and failing.
    package var isUnhealthy: Bool
    /// The name of its service and its router if its labels name none.
    package var defaultName: String
    /// The rule for a router without one, rendered for this container. Empty: such a router is an error.
    package var defaultRule: String

    /// - Parameter isReachable: defaults to whether `host` is given.
    package init(
        containerName: String, containerID: String, created: Int64, labels: [String: String], host: String?,
        isReachable: Bool? = nil, exposedPorts: [Int], isDraining: Bool, isUnhealthy: Bool = false, defaultName: String,
        defaultRule: String
    ) {
        self.containerName = containerName
        self.containerID = containerID
        self.created = created
        self.labels = labels
        self.host = host
        self.isReachable = isReachable ?? (host != nil)
        self.exposedPorts = exposedPorts
        self.isDraining = isDraining
        self.isUnhealthy = isUnhealthy
        self.defaultName = defaultName
        self.defaultRule = defaultRule
    }
}
