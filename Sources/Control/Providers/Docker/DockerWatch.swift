import Logging
import Synchronization

/// Keeps the inventory of one Engine over all connections to it, and says when the contributions have changed. What
/// connects, asks and listens is `DockerSession`.
actor DockerWatch {
    /// No more warnings are kept and logged.
    private static let warningMax = 100

    private let selection: DockerSelection
    private let logger: Logger
    private let onChange: @Sendable ([DockerContribution]) -> Void
    private let status: DockerStatusBox
    private var inventory = DockerInventory()
    /// Nil until it is needed, in each connection anew.
    private var hostAddress: String?
    private var emitted: [DockerContribution]?
    private var warnings: [String] = []
    /// Tells whoever looks at containers that there are some to be looked at.
    private var wake: AsyncStream<Void>.Continuation?

    init(
        _ selection: DockerSelection, status: DockerStatusBox, logger: Logger,
        onChange: @escaping @Sendable ([DockerContribution]) -> Void
    ) {
        self.selection = selection
        self.status = status
        self.logger = logger
        self.onChange = onChange
    }

    /// The time of the last event, in nanoseconds since 1970; 0: none was heard.
    var lastEvent: Int64 { inventory.lastEvent }
    /// Whether the containers were all looked at once, in this connection or an earlier one.
    var isComplete: Bool { inventory.isComplete }

    /// A connection begins: yields whenever there are containers to be looked at.
    func begin() -> AsyncStream<Void> {
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        wake = continuation
        hostAddress = nil
        return stream
    }

    func listed(_ listing: [DockerListing], isNew: Bool) {
        inventory.listed(listing, isNew: isNew)
        wake?.yield()
    }

    func heard(_ event: DockerEvent) {
        if inventory.heard(event) { emit() }
        if inventory.hasPending { wake?.yield() }
    }

    func takePending() -> [String] { inventory.takePending() }

    func inspected(_ id: String, _ container: DockerContainer?) {
        if let container { inventory.inspected(container) } else { inventory.forget(id) }
    }

    func couldNotInspect(_ id: String, _ error: DockerEngineError) {
        inventory.couldNotInspect(id)
        logger.warning(
            "a container could not be looked at: what was known of it still counts",
            metadata: ["container": "\(id.prefix(12))", "error": "\(error)"])
    }

    func retryFailed() {
        inventory.retryFailed()
        if inventory.hasPending { wake?.yield() }
    }

    /// All that was taken has been looked at.
    func settled() async {
        if needsHostAddress { hostAddress = await DockerHostAddress.resolved() }
        inventory.settled()
        emit()
    }

    private var needsHostAddress: Bool {
        hostAddress == nil && DockerSelection.needsHostAddress(inventory.containers.values)
    }

    /// Nothing before the first listing has been looked at as a whole.
    private func emit() {
        guard inventory.isComplete, !needsHostAddress else { return }
        let inventory = inventory
        let (contributions, warnings) = selection.contributions(
            of: inventory.containers, hostAddress: hostAddress ?? DockerHostAddress.loopback,
            isDraining: inventory.isDraining)
        say(Array(warnings.prefix(Self.warningMax)))
        status.update {
            $0.containerCount = inventory.containers.count
            $0.contributionCount = contributions.count
        }
        guard contributions != emitted else { return }
        emitted = contributions
        onChange(contributions)
    }

    private func say(_ warnings: [String]) {
        guard warnings != self.warnings else { return }
        for warning in warnings where !self.warnings.contains(warning) {
            logger.warning("docker labels", metadata: ["warning": "\(warning)"])
        }
        self.warnings = warnings
        status.update { $0.warnings = warnings }
    }
}

/// The status, for whoever asks from wherever.
final class DockerStatusBox: Sendable {
    private let status: Mutex<DockerProviderStatus>

    init(_ status: DockerProviderStatus) {
        self.status = Mutex(status)
    }

    var value: DockerProviderStatus { status.withLock { $0 } }

    func update(_ change: (inout DockerProviderStatus) -> Void) {
        status.withLock { change(&$0) }
    }
}
