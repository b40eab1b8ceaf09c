/// Decides which containers contribute to the configuration, and what. Pure.
///
/// A container's address comes from the first of these that applies: its label `traefik.docker.network` (or `limpet.`),
/// the provider's network, the machine's own address in host mode, the container whose network it shares, the network
/// that it was created with, the first network by name.
package struct DockerSelection: Sendable {
    private let settings: DockerProviderSettings
    private let constraint: DockerConstraint?
    private let template: DockerRuleTemplate

    /// - Throws: `DockerSettingError` if the constraints or the default rule make no sense.
    package init(_ settings: DockerProviderSettings) throws(DockerSettingError) {
        self.settings = settings
        let isUnconstrained = settings.constraints.allSatisfy(\.isWhitespace)
        constraint = isUnconstrained ? nil : try DockerConstraint(settings.constraints)
        template = try DockerRuleTemplate(settings.defaultRule)
    }

    /// The contributions of containers, sorted by creation time, and warnings about their labels, each one sentence.
    ///
    /// - Parameters:
    ///   - isDraining: whether a container was told to stop.
    ///   - hostAddress: the address of containers in host mode. Nil: not known yet; those containers are left out.
    /// - Returns: `needsHostAddress` is true if any container is reached at `hostAddress`.
    package func contributions(
        of containers: [String: DockerContainer], hostAddress: String?, isDraining: (DockerContainer) -> Bool
    ) -> (contributions: [DockerContribution], warnings: [String], needsHostAddress: Bool) {
        let isWanted = constraint?.predicate() ?? { _ in true }
        var choice = Choice(settings: settings, containers: containers, hostAddress: hostAddress)
        var contributions: [DockerContribution] = []
        let ordered = containers.values.sorted { ($0.created, $0.id) < ($1.created, $1.id) }
        for container in ordered where isWanted(container.labels) {
            let drains = isDraining(container)
            guard let place = choice.place(of: container, drains: drains) else { continue }
            let name = Self.defaultName(of: container)
            let rule = template.rendered(name: name, containerName: container.name, labels: container.labels)
            if rule == nil { choice.warn(container, "its default rule is longer than 16 KiB and is ignored") }
            contributions.append(
                DockerContribution(
                    containerName: container.name, containerID: container.id,
                    created: container.created / 1_000_000_000, labels: container.labels, host: place.address,
                    isReachable: place.isReachable, exposedPorts: container.exposedPorts,
                    isDraining: container.state == .paused || drains,
                    isUnhealthy: container.health == .unhealthy && !drains, defaultName: name,
                    defaultRule: rule ?? ""))
        }
        return (contributions, choice.warnings, choice.needsHostAddress)
    }

    /// `<service>-<project>` for a container that Compose created, else the container's name; normalised.
    static func defaultName(of container: DockerContainer) -> String {
        guard let project = container.labels["com.docker.compose.project"],
            let service = container.labels["com.docker.compose.service"]
        else { return DockerName.normalized(container.name) }
        return DockerName.normalized("\(service)_\(project)")
    }
}

extension DockerSelection {
    /// The address of a container that contributes.
    private struct Place {
        static let nowhere = Place(address: nil, isReachable: false)

        let address: String?
        var isReachable = true
    }

    /// Chooses an address for one container after another, and collects warnings about them.
    private struct Choice {
        let settings: DockerProviderSettings
        let containers: [String: DockerContainer]
        let hostAddress: String?
        private(set) var warnings: [String] = []
        /// Whether a container is reached at the machine's own address.
        private(set) var needsHostAddress = false

        /// The longest chain of containers that share each other's network.
        private static let hopMax = 8

        init(settings: DockerProviderSettings, containers: [String: DockerContainer], hostAddress: String?) {
            self.settings = settings
            self.containers = containers
            self.hostAddress = hostAddress
        }

        mutating func warn(_ container: DockerContainer, _ message: String) {
            warnings.append("container \(container.name): \(message)")
        }

        /// Nil: the container does not contribute.
        mutating func place(of container: DockerContainer, drains: Bool) -> Place? {
            let labels = DockerLabels(container.labels)
            for warning in labels.warnings { warn(container, warning) }
            // A container whose labels make no sense contributes its diagnostics.
            guard labels.isEnabled ?? (settings.exposedByDefault || !labels.faults.isEmpty) else { return nil }
            let runs = container.state == .running || container.state == .paused
            guard runs || labels.allowsNonRunning else { return nil }
            guard runs, labels.faults.isEmpty else { return .nowhere }
            // An application that is stopping may fail its health check first. Its sessions stay until it has ended.
            // One that fails it otherwise has its sessions too, and is failing. One that starts has none.
            guard container.health != .starting || drains else {
                return labels.allowsNonRunning || settings.allowEmptyServices ? .nowhere : nil
            }
            let neededHostAddress = needsHostAddress
            needsHostAddress = false
            defer { needsHostAddress = needsHostAddress || neededHostAddress }
            if let address = address(of: container, labels.network, hops: 0) { return Place(address: address) }
            if DockerLabels.nameServer(container.labels) { return Place(address: nil) }
            if needsHostAddress { return nil }
            warn(container, "it has no address in any network")
            return labels.allowsNonRunning ? .nowhere : nil
        }

        private mutating func address(of container: DockerContainer, _ label: String?, hops: Int) -> String? {
            if let wanted = label ?? (settings.network.isEmpty ? nil : settings.network) {
                if let address = container.networks[wanted]?.preferred { return address }
                // Not an error for a container that shares another container's network, or the machine's: it has no
                // network of its own.
                if !container.networks.isEmpty, container.networkMode != "host" {
                    warn(
                        container,
                        "it has no address in the network \"\(wanted.prefix(100))\": Compose puts the project's name before a network's"
                    )
                }
            }
            if container.networkMode == "host" {
                needsHostAddress = true
                return hostAddress
            }
            if container.networkMode.hasPrefix("container:") {
                return sharedAddress(of: container, label, hops: hops)
            }
            return anyAddress(of: container, isChosen: label != nil || !settings.network.isEmpty)
        }

        /// The address of the container whose network this one uses.
        private mutating func sharedAddress(of container: DockerContainer, _ label: String?, hops: Int) -> String? {
            let name = container.networkMode.dropFirst("container:".count)
            guard let target = containers[String(name)] ?? containers.values.first(where: { $0.name == name }),
                target.state == .running || target.state == .paused, hops < Self.hopMax
            else { return nil }
            return address(of: target, DockerLabels(target.labels).network ?? label, hops: hops + 1)
        }

        private mutating func anyAddress(of container: DockerContainer, isChosen: Bool) -> String? {
            let reachable = container.networks.filter { $0.value.preferred != nil }
            let own = container.networkMode == "default" ? "bridge" : container.networkMode
            guard let first = reachable[own] != nil ? own : reachable.keys.min() else { return nil }
            if reachable.count > 1, !isChosen {
                let names = reachable.keys.sorted().joined(separator: ", ")
                warn(
                    container,
                    "it is in the networks \(names) and is reached in \(first): choose one with the label traefik.docker.network"
                )
            }
            return reachable[first]?.preferred
        }
    }
}
