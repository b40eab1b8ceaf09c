/// Whether a primary that is replaced by one of its replicas stops accepting writes before the new one starts, so that
/// the bound on staleness holds across a fail-over. Only a primary that needs *all* of its replicas does: otherwise
/// those that still follow it are enough for it.
package enum FailoverGuard: Hashable, Sendable {
    /// The primary accepts writes without replicas.
    case off
    /// The primary accepts writes without some of its replicas: it needs only `demanded`, and has more.
    case tooSmall(demanded: Int)
    case complete
    /// The primary needs replicas. How many is unknown, because the user may not read its settings.
    case unknown

    /// Nil if unknown.
    package var isComplete: Bool? {
        switch self {
        case .off, .tooSmall: false
        case .complete: true
        case .unknown: nil
        }
    }
}
