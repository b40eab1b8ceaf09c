import Configuration
import Logging
import Synchronization

/// Keeps the inventory of one Engine across connections, and reports when the contributions have changed.
/// `DockerSession` connects, queries and listens.
actor DockerWatch {
    typealias Time = ContinuousClock.Instant

    /// The most warnings that are kept and logged.
    private static let warningMax = 100

    private let selection: DockerSelection
    private let logger: Logger
    private let onChange: @Sendable ([DockerContribution]) -> Void
    private let status: DockerStatusBox
    private let lookUpHost: @Sendable () async -> String
    private var inventory: DockerInventory
    /// The last address found; nil until one is needed.
    private var hostAddress: String?
    /// Whether to look the address up; set with each connection.
    private var isHostAddressOld = true
    private var isLookingUp = false
    /// Whether a change has not been reported yet.
    private var isChanged = false
    /// The last contributions reported.
    private(set) var emitted: [DockerContribution]?
    private var warnings: [String] = []
    /// Wakes the task that inspects containers, when there may be some to inspect.
    private var wake: AsyncStream<Void>.Continuation?

    /// - Parameter lookUpHost: finds the address of containers in host mode.
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

    /// The time of the last event, in nanoseconds since 1970; 0: none was received.
    var lastEvent: Int64 { inventory.lastEvent }
    /// Whether all containers have been inspected once, over this connection or an earlier one.
    var isComplete: Bool { inventory.isComplete }

    /// Whether all inspections are done, apart from containers that have failed at least this often.
    func isSettled(attempts: Int) -> Bool {
        inventory.isSettled(attempts: attempts) && !(isLookingUp && hostAddress == nil)
    }

    // MARK: Events

    /// Begins a connection. The stream yields whenever there may be containers to inspect.
    func begin() -> AsyncStream<Void> {
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        wake = continuation
        isHostAddressOld = true
        return stream
    }

    /// Stops inspections until the next connection.
    func end() { wake?.finish() }

    func listed(_ listing: [DockerListing], isNew: Bool) {
        inventory.listed(listing, isNew: isNew)
        changed(at: .now)
    }

    func received(_ event: DockerEvent) {
        if inventory.received(event) { emit() }
        wake?.yield()
    }

    func take(at now: Time) -> String? { inventory.take(at: now) }

    func inspected(_ id: String, _ container: DockerContainer?, at now: Time) {
        let wasComplete = inventory.isComplete
        if inventory.inspected(id, container) || inventory.isComplete != wasComplete { isChanged = true }
        told(at: now)
    }

    /// - Returns: whether the Engine itself is failing.
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

    /// Reports many changes together.
    private func told(at now: Time) {
        if isChanged, inventory.isAtRest(at: now) { emit() }
        wake?.yield()
    }

    // MARK: Reporting

    /// Reports nothing until the containers of the first listing have been inspected.
    private func emit() {
        guard inventory.isComplete else { return }
        isChanged = false
        let inventory = inventory
        let selected = selection.contributions(
            of: inventory.containers, hostAddress: hostAddress, isDraining: inventory.isDraining)
        if selected.needsHostAddress, isHostAddressOld { findHost() }
        logWarnings(Array(selected.warnings.prefix(Self.warningMax)), unseen: inventory.failed)
        status.update {
            $0.containerCount = inventory.containers.count
            $0.contributionCount = selected.contributions.count
        }
        guard selected.contributions != emitted else { return }
        emitted = selected.contributions
        onChange(selected.contributions)
    }

    private func logWarnings(_ warnings: [String], unseen: [String]) {
        for warning in warnings where !self.warnings.contains(warning) {
            logger.warning("A container has a configuration warning.", metadata: ["warning": "\(warning)"])
        }
        self.warnings = warnings
        let failures = unseen.prefix(Self.warningMax)
            .map { "container \($0.prefix(12)): it cannot be inspected, so its last known state is used" }
        status.update { $0.warnings = warnings + failures }
    }

    // MARK: The machine's address

    /// A resolver that does not answer delays nothing. Until it answers, the last known address counts, or after a
    /// while the loopback address. Lookups do not overlap.
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

/// The status, readable from any thread.
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
