import NIOCore

/// One connection's worth of following an Engine: the version, the events from now on, all containers, and then what
/// changes, until something fails.
struct DockerSession: Sendable {
    /// How the Engine is asked.
    struct Pace: Sendable {
        /// Containers that are looked at at once.
        var inspections = 4
        /// Between attempts to look at those that could not be looked at.
        var retry = Duration.seconds(10)
        /// Between listings that find out what no event told, and whether the Engine still answers.
        var listing = Duration.seconds(60)
    }

    /// How far back the first connection asks for events: whether a container was told to end is told by them alone.
    private static let lookback: Int64 = 900 * 1_000_000_000

    let engine: DockerEngine
    let watch: DockerWatch
    let pace: Pace

    /// Follows changes until the Engine fails.
    ///
    /// - Parameters:
    ///   - now: nanoseconds since 1970.
    ///   - ready: called once all containers have been looked at.
    /// - Throws: `DockerEngineError`, and `CancellationError`; never returns otherwise.
    func run(now: Int64, ready: @escaping @Sendable () async -> Void) async throws {
        let last = await watch.lastEvent
        let events = try await engine.events(since: last > 0 ? last : now - Self.lookback)
        defer { events.close() }
        let wake = await watch.begin()
        try await watch.listed(engine.containers(), isNew: true)
        try await withThrowingTaskGroup(of: Void.self) { group in
            defer { group.cancelAll() }
            group.addTask {
                for try await event in events.stream { await watch.heard(event) }
                throw CancellationError()
            }
            group.addTask {
                try await inspectPending()
                await ready()
                for await _ in wake { try await inspectPending() }
                throw CancellationError()
            }
            group.addTask { try await listAgain() }
            try await group.next()
        }
    }

    /// Looks at all containers once.
    ///
    /// - Throws: `DockerEngineError`.
    func list() async throws {
        try await watch.listed(engine.containers(), isNew: true)
        try await inspectPending()
    }

    private func listAgain() async throws {
        var sinceListing = Duration.zero
        while true {
            try await Task.sleep(for: pace.retry)
            await watch.retryFailed()
            sinceListing += pace.retry
            guard sinceListing >= pace.listing else { continue }
            sinceListing = .zero
            try await watch.listed(engine.containers(), isNew: false)
        }
    }

    /// A container that the Engine fails to describe stops none of the others. Where it describes none, at first, it is
    /// the Engine that fails: no containers would be taken for all.
    private func inspectPending() async throws {
        var rest = await watch.takePending()[...]
        let total = rest.count
        var failures: [DockerEngineError] = []
        try await withThrowingTaskGroup(of: DockerEngineError?.self) { group in
            for _ in 0..<max(pace.inspections, 1) {
                if let id = rest.popFirst() { group.addTask { try await inspect(id) } }
            }
            while let failure = try await group.next() {
                if let failure { failures.append(failure) }
                if let id = rest.popFirst() { group.addTask { try await inspect(id) } }
            }
        }
        if let failure = failures.first, failures.count == total, await !watch.isComplete { throw failure }
        await watch.settled()
    }

    /// - Returns: why it could not be looked at.
    private func inspect(_ id: String) async throws -> DockerEngineError? {
        do {
            try await watch.inspected(id, engine.container(id))
            return nil
        } catch let error as DockerEngineError where error.isOfOneAnswer {
            await watch.couldNotInspect(id, error)
            return error
        }
    }
}
