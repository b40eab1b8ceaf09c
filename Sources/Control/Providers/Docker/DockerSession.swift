import NIOCore

/// One connection's worth of following an Engine: the version, the events from now on, all containers, and then what
/// changes, until something fails.
struct DockerSession: Sendable {
    /// How the Engine is asked.
    struct Pace: Sendable {
        /// How containers are looked at.
        var inventory = DockerInventory.Pace()
        /// How often it is looked who is late or due.
        var tick = Duration.milliseconds(250)
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
                try await listContainers(by: wake, hearing: events, attempts: nil, ready)
                throw CancellationError()
            }
            group.addTask { try await passTime(listing: pace.listing) }
            try await group.next()
        }
    }

    /// Looks at all containers once.
    ///
    /// - Parameters:
    ///   - attempts: how often it tries to look at one that cannot be looked at.
    ///   - ready: called once all others have been looked at.
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

    /// A container that the Engine fails to describe, or takes its time with, stops none of the others. Where it
    /// describes none, at first, it is the Engine that fails.
    ///
    /// - Parameter attempts: ends once it has tried so often to look at each; nil: when it is cancelled.
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
            // While the Engine is heard, an answer that breaks off is no sign of its end.
            let isOfOneAnswer = error.isOfOneAnswer || error.problem == .cut && events?.isOpen ?? true
            guard isOfOneAnswer else { throw error }
            if await watch.couldNotInspect(id, error, at: .now) { throw error }
        }
    }
}
