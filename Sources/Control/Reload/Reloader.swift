import Configuration
import Logging
import Networking
import Synchronization

/// Collects the sources of the dynamic configuration while the replica runs, and applies them to the data plane. A
/// configuration that is refused changes nothing.
final class Reloader: Sendable {
    /// What it reads, and what it changes.
    struct Effects: Sendable {
        /// Reads the main file. Called where blocking is allowed.
        var readMain: @Sendable (HTTPContext) throws(ConfigurationRefusal) -> MainFile
        /// Reads the files of the file provider; nil without one. Called where blocking is allowed.
        var readProvided: (@Sendable () -> DynamicFiles)?
        /// Applies a configuration to the data plane.
        var apply: @Sendable (Configuration) async throws(SnapshotDiagnostic) -> Void
    }

    private struct State {
        var policy: ReloadPolicy
        var sources: ReloadSources
        var isDemanded = false
        var afterReading: @Sendable () -> Void = {}
        var running: Configuration
        var report: ReloadReport
        var known = KnownDiagnostics()
    }

    /// The last known errors and warnings of each kind of source.
    private struct KnownDiagnostics {
        /// Those of the main file alone, if it was refused when last read.
        var main: [Diagnostic] = []
        /// Those of all files together.
        var files: [Diagnostic] = []
        var containers: [Diagnostic] = []

        var all: [Diagnostic] { main + files + containers }

        mutating func setFiles(_ diagnostics: [Diagnostic]) { files = diagnostics.filter { !$0.isOfContainer } }

        mutating func setContainers(_ diagnostics: [Diagnostic]) { containers = diagnostics.filter(\.isOfContainer) }
    }

    private let effects: Effects
    private let logger: Logger
    private let state: Mutex<State>
    private let wake: AsyncStream<Void>.Continuation
    private let wakes: AsyncStream<Void>

    /// - Parameters:
    ///   - running: the configuration of the data plane, built from `inputs`.
    ///   - diagnostics: those of `inputs`.
    init(
        running: Configuration, inputs: ReloadSources.Inputs, diagnostics: [Diagnostic], effects: Effects,
        logger: Logger
    ) {
        self.effects = effects
        self.logger = logger
        let policy = ReloadPolicy(window: running.providers.throttle)
        var known = KnownDiagnostics()
        known.setFiles(diagnostics)
        known.setContainers(diagnostics)
        state = Mutex(
            State(
                policy: policy, sources: ReloadSources(inputs), running: running,
                report: ReloadReport(startedAt: .now, diagnostics: diagnostics), known: known))
        (wakes, wake) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    var report: ReloadReport { state.withLock { $0.report } }
    /// Why files of the file provider cannot be read; empty if all can.
    var unreadable: [Diagnostic] { state.withLock { $0.sources.newest.files.provided.diagnostics } }
    /// The configuration of the data plane.
    var running: Configuration { state.withLock { $0.running } }

    // MARK: Events

    /// Reads the file provider's files again, because they may have changed.
    func rereadFiles() async {
        guard let read = effects.readProvided, let files = try? await BlockingThreads.files.run(read) else { return }
        state.withLock { state in
            guard state.sources.found(files) else { return }
            state.report.filesChangedAt = .now
            state.policy.changed()
        }
        wake.yield()
    }

    /// Reads the files of certificates again, because they may have changed.
    func rereadCertificates() async {
        let known = state.withLock { $0.sources.newest.files.certificateFiles }
        guard (try? await BlockingThreads.files.run({ known.haveChanged() })) == true else { return }
        state.withLock { state in
            state.sources.foundOtherCertificates()
            state.report.filesChangedAt = .now
            state.policy.changed()
        }
        wake.yield()
    }

    /// The files of certificates.
    var certificatePaths: [String] { state.withLock { $0.sources.newest.files.certificateFiles.paths } }

    /// Docker's containers have changed to these.
    func containersChanged(_ containers: [DockerContribution]) {
        state.withLock { state in
            guard state.sources.found(containers) else { return }
            state.report.containersChangedAt = .now
            state.policy.changed()
        }
        wake.yield()
    }

    /// Demands that everything, the main file included, is read again now.
    func demand() {
        state.withLock { state in
            state.isDemanded = true
            state.policy.demanded()
        }
        wake.yield()
    }

    /// Calls `body` after each reading: other files may be named than before.
    func onReading(_ body: @escaping @Sendable () -> Void) { state.withLock { $0.afterReading = body } }

    /// Runs until its task is cancelled.
    func run() async {
        await withDiscardingTaskGroup { group in
            for await _ in wakes {
                switch state.withLock({ $0.policy.next(at: .now) }) {
                case .read:
                    await reload()
                    let afterReading = state.withLock { state in
                        state.policy.ended()
                        return state.afterReading
                    }
                    afterReading()
                    wake.yield()
                case .wait(let until):
                    group.addTask { [wake] in
                        try? await Task.sleep(until: until)
                        wake.yield()
                    }
                case .nothing: break
                }
            }
            group.cancelAll()
        }
    }

    // MARK: Reading

    private func reload() async {
        let isDemanded = state.withLock { state in
            defer { state.isDemanded = false }
            return state.isDemanded
        }
        // Changes in the other sources are read even if the main file is refused.
        let isAsked = isDemanded ? await readMain() : false
        if let inputs = state.withLock({ $0.sources.next }) { await read(inputs, isAsked: isAsked) }
    }

    /// Returns false if the main file is refused. The files then stay as they are.
    private func readMain() async -> Bool {
        let context = HTTPContext(running)
        let (readMain, readProvided) = (effects.readMain, effects.readProvided)
        let result = try? await BlockingThreads.files.run {
            Result { () throws(ConfigurationRefusal) in (file: try readMain(context), provided: readProvided?()) }
        }
        switch result {
        case .success(let (file, provided))?:
            let changes = state.withLock { state in
                state.known.main = []
                if let provided, state.sources.found(provided) { state.report.filesChangedAt = .now }
                state.sources.found(main: file.source, context.usersFiles, context.certificateFiles)
                return file.configuration.staticChanges(from: state.running)
            }
            if !changes.isEmpty {
                logger.warning(
                    "Changed settings take effect after a restart.",
                    metadata: ["keys": "\(changes.joined(separator: ", "))"])
            }
            return true
        case .failure(let refusal)?:
            state.withLock { $0.known.main = refusal.diagnostics }
            refuse(refusal.diagnostics, isAsked: true)
            return false
        case nil: return false
        }
    }

    private func read(_ inputs: ReloadSources.Inputs, isAsked: Bool) async {
        let began = ContinuousClock.now
        let running = running
        let files = inputs.files
        let context = HTTPContext(running, files.usersFiles, files.certificateFiles)
        // Blocking, because it reads the files that middlewares name.
        let reading = try? await BlockingThreads.files.run {
            HTTPReading(
                files: [files.main] + files.provided.files, unreadable: files.provided.diagnostics,
                containers: inputs.containers, context: context)
        }
        guard let reading else { return }
        guard let http = reading.configuration else {
            return await refuse(inputs, reading.diagnostics, isAsked: isAsked)
        }
        var configuration = running
        configuration.http = http
        let isChanged = configuration != running
        if isChanged {
            do throws(SnapshotDiagnostic) {
                try await effects.apply(configuration)
            } catch {
                let source = Diagnostic.Source.file(files.main.name)
                let diagnostic = Diagnostic(
                    severity: .error, source: source, place: nil, key: "http", message: error.description)
                return await refuse(inputs, reading.diagnostics + [diagnostic], isAsked: isAsked)
            }
        }
        accept(inputs, configuration, isChanged: isChanged, reading.diagnostics, seconds: (.now - began) / .seconds(1))
    }

    private func accept(
        _ inputs: ReloadSources.Inputs, _ configuration: Configuration, isChanged: Bool, _ diagnostics: [Diagnostic],
        seconds: Double
    ) {
        let known = state.withLock { state in
            let known = state.known.all
            let areNewest = state.sources.areNewest(inputs.files)
            state.running = configuration
            state.sources.accept(inputs)
            state.known.setContainers(diagnostics)
            if areNewest { state.known.setFiles(diagnostics) }
            let all = state.known.all
            if !areNewest || !state.known.main.isEmpty {
                state.report.tookPart(at: .now, isReplaced: isChanged, diagnostics: all)
            } else if isChanged {
                state.report.succeeded(at: .now, diagnostics: all)
            } else {
                state.report.unchanged(at: .now, diagnostics: all)
            }
            return known
        }
        log(diagnostics.filter { !known.contains($0) }, level: .warning)
        guard isChanged else { return logger.info("The configuration is unchanged.") }
        logger.notice(
            "The configuration was reloaded.",
            metadata: ["configuration": "\(configuration.summary)", "seconds": "\((seconds * 1000).rounded() / 1000)"])
    }

    // MARK: Refusals

    private func refuse(_ inputs: ReloadSources.Inputs, _ diagnostics: [Diagnostic], isAsked: Bool) async {
        let alone = state.withLock { state in
            state.sources.refuse(inputs)
            state.known.setFiles(diagnostics)
            return inputs.files == state.sources.inForce.files ? nil : state.sources.containersAlone
        }
        // The containers are read again, together with the files in force.
        refuse(diagnostics.filter { !$0.isOfContainer }, isAsked: isAsked)
        if let alone { await read(alone, isAsked: false) }
    }

    /// Counts and logs the same diagnostics once, unless a reload was requested explicitly.
    private func refuse(_ diagnostics: [Diagnostic], isAsked: Bool) {
        let shouldLog = state.withLock { state in
            let old = state.report
            state.report.failed(at: .now, diagnostics: state.known.all)
            let shouldLog = isAsked || old.isSound || old.diagnostics != state.report.diagnostics
            if !shouldLog { state.report = old }
            return shouldLog
        }
        guard shouldLog else { return }
        logger.error(
            "The configuration was rejected; the previous one stays in use.",
            metadata: ["mistakes": "\(diagnostics.count { $0.severity == .error })"])
        log(diagnostics, level: .error)
    }

    /// Logs one line each, at most ``linesMax``.
    private func log(_ diagnostics: [Diagnostic], level: Logger.Level) {
        for diagnostic in diagnostics.prefix(Self.linesMax) {
            let isError = diagnostic.severity == .error
            if isError {
                logger.log(
                    level: level, "The configuration has an error.", metadata: ["mistake": "\(diagnostic)"])
            } else {
                logger.warning("The configuration has a warning.", metadata: ["warning": "\(diagnostic)"])
            }
        }
        let rest = diagnostics.count - Self.linesMax
        if rest > 0 {
            logger.log(
                level: level, "Further configuration problems are not logged.", metadata: ["count": "\(rest)"])
        }
    }

    /// How many diagnostics are logged one by one.
    static let linesMax = 20
}

extension Diagnostic {
    fileprivate var isOfContainer: Bool {
        if case .container = source { true } else { false }
    }
}

extension Configuration {
    /// The keys of the main file that differ from `other` and take effect only at a start, in their usual order.
    fileprivate func staticChanges(from other: Configuration) -> [String] {
        [
            ("entryPoints", entryPoints != other.entryPoints || admin != other.admin || adminTLS != other.adminTLS),
            ("providers", providers != other.providers),
            ("serversTransport", !serversTransport.says(theSameAs: other.serversTransport)),
            ("fleet", fleet != other.fleet),
            ("replica", replica != other.replica), ("store", store != other.store), ("log", log != other.log),
            ("accessLog", accessLog != other.accessLog),
        ]
        .filter(\.1).map(\.0)
    }
}
