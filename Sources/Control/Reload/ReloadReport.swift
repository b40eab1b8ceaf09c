package import Configuration

/// How the configuration came to be what it is, for whoever asks from outside.
package struct ReloadReport: Equatable, Sendable {
    package struct Attempt: Equatable, Sendable {
        package var at: WallTime
        package var isSuccess: Bool
    }

    /// Mistakes that are kept; of further ones only their number.
    static let mistakesMax = 100

    /// When the running configuration was taken over.
    package var loadedAt: WallTime
    /// Nil: there was none since the start.
    package var last: Attempt?
    /// When the sources were last found right, be it at the start.
    package var lastSuccessAt: WallTime
    package var successes: UInt64 = 0
    package var failures: UInt64 = 0
    /// What is wrong, or hardly meant, with the sources as they are now: the first ``mistakesMax``.
    package private(set) var diagnostics: [Diagnostic] = []
    package private(set) var mistakeCount = 0
    /// When the file provider last had something new; nil since the start.
    package var filesChangedAt: WallTime?
    package var containersChangedAt: WallTime?

    package init(startedAt: WallTime, diagnostics: [Diagnostic] = []) {
        loadedAt = startedAt
        lastSuccessAt = startedAt
        set(diagnostics)
    }

    /// Whether the sources, as they were last looked at, are right.
    package var isSound: Bool { last?.isSuccess ?? true }

    /// The running configuration was replaced.
    package mutating func succeeded(at now: WallTime, diagnostics: [Diagnostic]) {
        successes += 1
        loadedAt = now
        unchanged(at: now, diagnostics: diagnostics)
    }

    /// The sources are right, and say what is running already.
    package mutating func unchanged(at now: WallTime, diagnostics: [Diagnostic]) {
        last = Attempt(at: now, isSuccess: true)
        lastSuccessAt = now
        set(diagnostics)
    }

    package mutating func failed(at now: WallTime, diagnostics: [Diagnostic]) {
        failures += 1
        last = Attempt(at: now, isSuccess: false)
        set(diagnostics)
    }

    /// What of the sources is right is served by, while some of them are still wrong.
    ///
    /// - Parameter isReplaced: whether the running configuration is another one now.
    package mutating func tookPart(at now: WallTime, isReplaced: Bool, diagnostics: [Diagnostic]) {
        if isReplaced {
            successes += 1
            loadedAt = now
        }
        set(diagnostics)
    }

    private mutating func set(_ diagnostics: [Diagnostic]) {
        self.diagnostics = Array(diagnostics.prefix(Self.mistakesMax))
        mistakeCount = diagnostics.count
    }
}
