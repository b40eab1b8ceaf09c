/// What one container says and is, as far as routing goes. Whether its labels make sense is not known yet.
package struct DockerContribution: Equatable, Sendable {
    /// As people know it, without the Engine's leading slash.
    package var containerName: String
    /// 64 hexadecimal digits: the stable name of the backend.
    package var containerID: String
    /// Seconds since 1970. Where two containers contradict each other, the one created first counts.
    package var created: Int64
    /// All of them, as the Engine gives them.
    package var labels: [String: String]
    /// Where it is reached: an IPv4 address, an IPv6 address without brackets, or this machine's name; nil while it is
    /// not reachable, and where only its labels say where it is.
    package var host: String?
    /// Whether it may be asked: it runs, and is neither starting nor unhealthy.
    package var isReachable: Bool
    /// The TCP ports that it exposes, ascending.
    package var exposedPorts: [Int]
    /// It was told to stop and has not ended, or it is paused: it keeps its sessions and gets no new ones.
    package var isDraining: Bool
    /// What its service and its router are called where its labels name none.
    package var defaultName: String
    /// The rule of a router without one, rendered for this container; empty: such a router is a mistake.
    package var defaultRule: String

    /// - Parameter isReachable: unless given whether there is a host.
    package init(
        containerName: String, containerID: String, created: Int64, labels: [String: String], host: String?,
        isReachable: Bool? = nil, exposedPorts: [Int], isDraining: Bool, defaultName: String, defaultRule: String
    ) {
        self.containerName = containerName
        self.containerID = containerID
        self.created = created
        self.labels = labels
        self.host = host
        self.isReachable = isReachable ?? (host != nil)
        self.exposedPorts = exposedPorts
        self.isDraining = isDraining
        self.defaultName = defaultName
        self.defaultRule = defaultRule
    }
}
