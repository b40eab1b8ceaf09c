import Logging
import Synchronization

/// Keeps the inventory of one Engine over all connections to it, and says when the contributions have changed. What
/// connects, asks and listens is `DockerSession`.
actor DockerWatch {
    typealias Time = ContinuousClock.Instant

    /// No more warnings are kept and logged.
    private static let warningMax = 100

    private let selection: DockerSelection
    private let logger: Logger
    private let onChange: @Sendable ([DockerContribution]) -> Void
    private let status: DockerStatusBox
    private let lookUpHost: @Sendable () async -> String
    private var inventory: DockerInventory
    /// As it was found last; nil until it is needed.
    private var hostAddress: String?
    /// Whether it is to be looked up, in each connection anew.
    private var isHostAddressOld = true
    private var isLookingUp = false
    /// Whether something has changed that was not told yet.
    private var isChanged = false
    /// What was told last.
    private(set) var emitted: [DockerContribution]?
    private var warnings: [String] = []
    /// Tells whoever looks at containers that there may be some to be looked at.
    private var wake: AsyncStream<Void>.Continuation?

    /// - Parameter lookUpHost: where containers in host mode are reached.
    init(
        _ selection: DockerSelection, pace: DockerInventory.Pace = .init(), status: DockerStatusBox, logger: Logger,
        lookUpHost: @escaping @Sendable () async -> String = DockerHostAddress.resolved,
        onChange: @escaping @Sendable ([DockerContribution]) -> Void
    ) {
        self.selection = selection
        self.status = status
        self.logger = logger
        self.lookUpHost = lookUpHost
        self.onChange = onChange
        inventory = DockerInventory(pace: pace)
    }

    /// The time of the last event, in nanoseconds since 1970; 0: none was heard.
    var lastEvent: Int64 { inventory.lastEvent }
    /// Whether the containers were all looked at once, in this connection or an earlier one.
    var isComplete: Bool { inventory.isComplete }

    /// Whether nothing is to be looked at, those apart that have failed so often.
    func isSettled(attempts: Int) -> Bool {
        inventory.isSettled(attempts: attempts) && !(isLookingUp && hostAddress == nil)
    }

    // MARK: What happens

    /// A connection begins: yields whenever there may be containers to be looked at.
    func begin() -> AsyncStream<Void> {
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        wake = continuation
        isHostAddressOld = true
        return stream
    }

    /// Nobody looks at containers any more, until the next connection.
    func end() { wake?.finish() }

    func listed(_ listing: [DockerListing], isNew: Bool) {
        inventory.listed(listing, isNew: isNew)
        changed(at: .now)
    }

    func heard(_ event: DockerEvent) {
        if inventory.heard(event) { emit() }
        wake?.yield()
    }

    func take(at now: Time) -> String? { inventory.take(at: now) }

    func inspected(_ id: String, _ container: DockerContainer?, at now: Time) {
        let wasComplete = inventory.isComplete
        if inventory.inspected(id, container) || inventory.isComplete != wasComplete { isChanged = true }
        told(at: now)
    }

    /// - Returns: whether it is the Engine that fails.
    func couldNotInspect(_ id: String, _ error: DockerEngineError, at now: Time) -> Bool {
        if inventory.couldNotInspect(id, at: now) {
            logger.warning(
                "A container cannot be inspected; its last known state is used.",
                metadata: ["container": "\(id.prefix(12))", "error": "\(error)"])
        }
        changed(at: now)
        return inventory.isFailing
    }

    func passed(to now: Time) {
        let wasComplete = inventory.isComplete
        inventory.passed(to: now)
        if inventory.isComplete != wasComplete { isChanged = true }
        if isChanged { emit() }
        wake?.yield()
    }

    private func changed(at now: Time) {
        isChanged = true
        told(at: now)
    }

    /// Many changes are told together.
    private func told(at now: Time) {
        if isChanged, inventory.isAtRest(at: now) { emit() }
        wake?.yield()
    }

    // MARK: What is told

    /// Nothing before the first listing has been looked at.
    private func emit() {
        guard inventory.isComplete else { return }
        isChanged = false
        let inventory = inventory
        let selected = selection.contributions(
            of: inventory.containers, hostAddress: hostAddress, isDraining: inventory.isDraining)
        if selected.needsHostAddress, isHostAddressOld { findHost() }
        say(Array(selected.warnings.prefix(Self.warningMax)), unseen: inventory.failed)
        status.update {
            $0.containerCount = inventory.containers.count
            $0.contributionCount = selected.contributions.count
        }
        guard selected.contributions != emitted else { return }
        emitted = selected.contributions
        onChange(selected.contributions)
    }

    private func say(_ warnings: [String], unseen: [String]) {
        for warning in warnings where !self.warnings.contains(warning) {
            logger.warning("A container has a configuration warning.", metadata: ["warning": "\(warning)"])
        }
        self.warnings = warnings
        let failures = unseen.prefix(Self.warningMax)
            .map { "container \($0.prefix(12)): it cannot be inspected, so its last known state is used" }
        status.update { $0.warnings = warnings + failures }
    }

    // MARK: The machine's address

    /// A resolver that says nothing holds up nobody: the last known address counts, or after a while the loopback,
    /// until it has answered. It is asked once at a time.
    private func findHost() {
        guard !isLookingUp else { return }
        isLookingUp = true
        Task { await foundHost(lookUpHost()) }
        guard hostAddress == nil else { return }
        Task {
            try? await Task.sleep(for: DockerHostAddress.timeout)
            if hostAddress == nil { useHost(DockerHostAddress.loopback) }
        }
    }

    private func foundHost(_ address: String) {
        (isLookingUp, isHostAddressOld) = (false, false)
        useHost(address)
    }

    private func useHost(_ address: String) {
        hostAddress = address
        emit()
        wake?.yield()
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
