package import Configuration

/// The history of configuration reloads, as shown outside.
package struct ReloadReport: Equatable, Sendable {
    package struct Attempt: Equatable, Sendable {
        package var at: WallTime
        package var isSuccess: Bool
    }

    /// How many diagnostics are kept; further ones are only counted.
    static let mistakesMax = 100

    /// When the running configuration was loaded.
    package var loadedAt: WallTime
    /// Nil: no reload since the start.
    package var last: Attempt?
    /// When the sources were last found right; the start counts too.
    package var lastSuccessAt: WallTime
    package var successes: UInt64 = 0
    package var failures: UInt64 = 0
    /// The errors and warnings of the current sources: the first ``mistakesMax``.
    package private(set) var diagnostics: [Diagnostic] = []
    package private(set) var mistakeCount = 0
    /// When the file provider last changed; nil: not since the start.
    package var filesChangedAt: WallTime?
    package var containersChangedAt: WallTime?

    package init(startedAt: WallTime, diagnostics: [Diagnostic] = []) {
        loadedAt = startedAt
        lastSuccessAt = startedAt
        set(diagnostics)
    }

    /// Whether the sources were right when last checked.
    package var isSound: Bool { last?.isSuccess ?? true }

    /// The running configuration was replaced.
    package mutating func succeeded(at now: WallTime, diagnostics: [Diagnostic]) {
        successes += 1
        loadedAt = now
        unchanged(at: now, diagnostics: diagnostics)
    }

    /// The sources are right and equal the running configuration.
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

    /// The valid part of the sources is in use, but some sources are still wrong.
    ///
    /// - Parameter isReplaced: whether the running configuration has changed.
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
