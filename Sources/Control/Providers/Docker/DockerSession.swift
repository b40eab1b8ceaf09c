import NIOCore

/// Follows an Engine over one connection: the version, the stream of events, all containers, and then changes, until
/// something fails.
struct DockerSession: Sendable {
    /// How often the Engine is queried.
    struct Pace: Sendable {
        /// How containers are inspected.
        var inventory = DockerInventory.Pace()
        /// How often late and due inspections are looked for.
        var tick = Duration.milliseconds(250)
        /// The time between listings, which find changes that no event reported, and check that the Engine still
        /// answers.
        var listing = Duration.seconds(60)
    }

    /// How far back the first connection requests events: only events tell whether a container was told to stop.
    private static let lookback: Int64 = 900 * 1_000_000_000

    let engine: DockerEngine
    let watch: DockerWatch
    let pace: Pace

    /// Follows changes until the Engine fails.
    ///
    /// - Parameters:
    ///   - now: nanoseconds since 1970.
    ///   - ready: called once all containers have been inspected.
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
                for try await event in events.stream { await watch.received(event) }
                throw CancellationError()
            }
            group.addTask {
                try await listContainers(by: wake, hearing: events, attempts: nil, ready)
                throw CancellationError()
            }
            group.addTask { try await passTime(listing: pace.listing) }
            try await group.next()
        }
    }

    /// Inspects all containers once.
    ///
    /// - Parameters:
    ///   - attempts: how often a failing inspection is tried.
    ///   - ready: called once all other containers have been inspected.
    /// - Throws: `DockerEngineError`, and `CancellationError`.
    func list(attempts: Int, ready: @escaping @Sendable () async -> Void = {}) async throws {
        let wake = await watch.begin()
        try await watch.listed(engine.containers(), isNew: true)
        try await withThrowingTaskGroup(of: Void.self) { group in
            defer { group.cancelAll() }
            group.addTask { try await listContainers(by: wake, hearing: nil, attempts: attempts, ready) }
            group.addTask { try await passTime(listing: nil) }
            try await group.next()
        }
    }

    private func passTime(listing: Duration?) async throws {
        var sinceListing = Duration.zero
        while true {
            try await Task.sleep(for: pace.tick)
            await watch.passed(to: .now)
            sinceListing += pace.tick
            guard let listing, sinceListing >= listing else { continue }
            sinceListing = .zero
            try await watch.listed(engine.containers(), isNew: false)
        }
    }

    /// A container that the Engine cannot describe, or describes slowly, does not delay the others. If at first the
    /// Engine can describe none, the Engine itself counts as failing.
    ///
    /// - Parameter attempts: ends after this number of failed attempts for each container; nil: runs until cancelled.
    private func listContainers(
        by wake: AsyncStream<Void>, hearing events: DockerEvents?, attempts: Int?,
        _ ready: @escaping @Sendable () async -> Void
    ) async throws {
        try await withThrowingDiscardingTaskGroup { group in
            var isReady = false
            for await _ in wake {
                while let id = await watch.take(at: .now) {
                    group.addTask {
                        do {
                            try await inspect(id, hearing: events)
                        } catch {
                            await watch.end()
                            throw error
                        }
                    }
                }
                if !isReady, await watch.isComplete {
                    isReady = true
                    await ready()
                }
                if let attempts, await watch.isSettled(attempts: attempts) { return }
            }
        }
        try Task.checkCancellation()
    }

    private func inspect(_ id: String, hearing events: DockerEvents?) async throws {
        do {
            try await watch.inspected(id, engine.container(id), at: .now)
        } catch let error as DockerEngineError {
            try Task.checkCancellation()
            // While events arrive, a truncated response does not mean that the Engine has ended.
            let isOfOneAnswer = error.isOfOneAnswer || error.problem == .cut && events?.isOpen ?? true
            guard isOfOneAnswer else { throw error }
            if await watch.couldNotInspect(id, error, at: .now) { throw error }
        }
    }
}
