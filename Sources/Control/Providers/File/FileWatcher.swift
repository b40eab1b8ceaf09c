import Configuration
import Logging
import NIOCore
import NIOPosix
import Networking
import Synchronization

/// Reports when a file, or the contents of a directory, may have changed.
///
/// It watches the directories on the path (``WatchPlan``), so it notices a file that is written in place, replaced by a
/// rename, deleted and created again, or reached by a symbolic link that now points elsewhere. If the system reports no
/// changes for a directory, the watcher polls once a second.
final class FileWatcher: Sendable {
    /// The polling interval.
    static let lookInterval = Duration.seconds(1)

    private struct State {
        var quiet = Debounce()
        var plan: WatchPlan?
        #if canImport(Glibc)
        var watches: [Inotify.Watch: Set<String>] = [:]
        #endif
        /// Why the system does not report changes in some directory; nil if it does in all.
        var blindness: String?
        /// Whether a warning about directories beyond the limit was logged.
        var overlooks = false
    }

    private let sources: @Sendable () -> [FileProviderSettings.Source]
    private let isTold: Bool
    private let logger: Logger
    private let state = Mutex(State())
    private let wake: AsyncStream<Void>.Continuation
    private let wakes: AsyncStream<Void>

    /// - Parameter isTold: whether the system is asked to report changes; otherwise the watcher polls.
    convenience init(_ source: FileProviderSettings.Source, isTold: Bool = true, logger: Logger) {
        self.init(isTold: isTold, logger: logger) { [source] }
    }

    /// - Parameter sources: called before each look; after a change of what it returns, call ``lookAgain()``.
    init(isTold: Bool = true, logger: Logger, sources: @escaping @Sendable () -> [FileProviderSettings.Source]) {
        self.sources = sources
        self.isTold = isTold
        self.logger = logger
        (wakes, wake) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Runs until its task is cancelled. Must be called only once.
    ///
    /// - Parameter changed: called once at the start, because something may have changed before, and after each change,
    ///   as soon as a quiet period has passed.
    func run(_ changed: @escaping @Sendable () async -> Void) async {
        await withDiscardingTaskGroup { group in
            #if canImport(Glibc)
            let inotify = isTold ? openInotify() : nil
            await refresh(inotify)
            if let inotify { group.addTask { await self.listen(to: inotify) } }
            #else
            state.withLock { $0.blindness = "this system has none that Limpet uses" }
            #endif
            group.addTask { await self.rescan() }
            await changed()
            for await _ in wakes {
                guard await isQuiet() else { continue }
                #if canImport(Glibc)
                await refresh(inotify)
                #endif
                await changed()
            }
            group.cancelAll()
        }
    }

    /// The sources may be others: looks at them after a quiet period, as after a change.
    func lookAgain() {
        let isNew = state.withLock { $0.plan.map { $0 != WatchPlan(sources()) } ?? true }
        if isNew { happened() }
    }

    /// Whether it polls, because the system does not report all changes.
    var isBlind: Bool { state.withLock { $0.blindness != nil } }

    private func happened() {
        state.withLock { $0.quiet.happened(at: .now) }
        wake.yield()
    }

    /// Waits for the end of the quiet period. False if nothing has changed, or if the task is cancelled.
    private func isQuiet() async -> Bool {
        while let end = state.withLock({ $0.quiet.end }) {
            if state.withLock({ $0.quiet.isOver(at: .now) }) { return true }
            guard (try? await Task.sleep(until: end)) != nil else { return false }
        }
        return false
    }

    private func fallBackToPolling(because reason: String) {
        let isNew = state.withLock { state in
            defer { state.blindness = reason }
            return state.blindness == nil
        }
        guard isNew else { return }
        logger.warning(
            "File change notifications are unavailable; files are checked once a second.",
            metadata: ["reason": "\(reason)"])
    }

    // MARK: Polling

    private func rescan() async {
        var last: [String: FileStamp]?
        while (try? await Task.sleep(for: Self.lookInterval)) != nil {
            guard isBlind else { continue }
            let seen = try? await BlockingThreads.files.run { [sources] in
                let plan = WatchPlan(sources(), directoriesMax: WatchPlan.lookedAtMax)
                return (stamps: plan.stamps, isCut: plan.isCut)
            }
            guard let seen else { return }
            if seen.stamps != last { happened() }
            if seen.isCut { overlook() }
            last = seen.stamps
        }
    }

    private func overlook() {
        let isNew = state.withLock { state in
            defer { state.overlooks = true }
            return !state.overlooks
        }
        guard isNew else { return }
        logger.warning(
            "Too many directories are configured; changes in the rest are not noticed.",
            metadata: ["directories": "\(WatchPlan.lookedAtMax)"])
    }
}

#if canImport(Glibc)
import Glibc

extension FileWatcher {
    /// Nil if inotify is not available.
    fileprivate func openInotify() -> Inotify? {
        do {
            return try Inotify()
        } catch {
            fallBackToPolling(because: Self.reason(error))
            return nil
        }
    }

    fileprivate func refresh(_ inotify: Inotify?) async {
        try? await BlockingThreads.files.run { self.watchAll(by: inotify) }
    }

    /// Watches the directories of the current plan. A change during the scan is reported, or found by another scan.
    private func watchAll(by inotify: Inotify?) {
        guard let inotify else {
            if !isTold { state.withLock { $0.blindness = "they are switched off" } }
            return
        }
        for _ in 0..<8 {
            let plan = WatchPlan(sources())
            var watches: [Inotify.Watch: Set<String>] = [:]
            for directory in plan.directories.keys {
                do throws(Inotify.Failure) {
                    watches[try inotify.add(directory), default: []].insert(directory)
                } catch  where error.code != ENOENT && error.code != ENOTDIR {
                    fallBackToPolling(because: "\(directory): \(Self.reason(error))")
                } catch {
                    continue
                }
            }
            let (gone, isSettled) = state.withLock { state in
                defer { (state.plan, state.watches) = (plan, watches) }
                return (
                    Set(state.watches.keys).subtracting(watches.keys), state.plan == plan && state.watches == watches
                )
            }
            gone.forEach(inotify.remove)
            if plan.isCut { fallBackToPolling(because: "more than \(WatchPlan.watchedMax) directories to watch") }
            if isSettled { return }
        }
    }

    /// Runs until it is cancelled, or until events can no longer be read.
    fileprivate func listen(to inotify: Inotify) async {
        do {
            let descriptor = try inotify.duplicate()
            let channel = try await Self.channel(reading: descriptor)
            try await channel.executeThenClose { events in
                for try await var buffer in events { received(Inotify.events(in: &buffer)) }
            }
        } catch {
            guard !Task.isCancelled else { return }
            fallBackToPolling(because: "\(error)")
        }
    }

    func received(_ events: [Inotify.Event]) {
        if concerns(events) { happened() }
    }

    private func concerns(_ events: [Inotify.Event]) -> Bool {
        state.withLock { state in
            events.contains { event in
                event.isOverflow
                    || state.watches[event.watch]?.contains { directory in
                        state.plan?.concerns(event.name, in: directory) ?? true
                    } ?? false
            }
        }
    }

    private static func channel(reading descriptor: Int32) async throws -> NIOAsyncChannel<ByteBuffer, Never> {
        do {
            // Each read needs room for a whole event, however long the name in it.
            return try await NIOPipeBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .channelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: 65536))
                .takingOwnershipOfDescriptor(input: descriptor) { channel in
                    channel.eventLoop.makeCompletedFuture { try NIOAsyncChannel(wrappingChannelSynchronously: channel) }
                }
        } catch {
            close(descriptor)
            throw error
        }
    }

    private static func reason(_ failure: Inotify.Failure) -> String {
        switch failure.code {
        case EMFILE: "the limit fs.inotify.max_user_instances is reached"
        case ENOSPC: "the limit fs.inotify.max_user_watches is reached"
        default: String(cString: strerror(failure.code)).lowercased()
        }
    }
}
#endif
