/// How long a hint is valid, and when the affinity cookie is sealed anew. Times are in seconds since 1970 by the wall
/// clock.
package struct CookieRenewal: Sendable {
    /// The validity of hints if no idle timeout is configured.
    package static let defaultValiditySeconds: UInt32 = 24 * 60 * 60

    /// Seconds for which a hint is valid after it was issued.
    package let validitySeconds: UInt32
    /// Age in seconds at which the affinity cookie is sealed anew: a quarter of what ends first, the hint's validity or
    /// the cookie's Max-Age. So an active client's cookie does not expire in the browser.
    package let renewalAgeSeconds: UInt32
    /// Seconds by which the clocks of two replicas may differ: two minutes, but at most a third of the validity.
    package let tolerance: UInt32
    /// Maximum age of a session in seconds, after which its hints are invalid too; nil: no limit.
    package let absolute: UInt32?

    /// - Parameters:
    ///   - idleTimeoutMilliseconds: nil if none is configured. Rounded up to whole seconds.
    ///   - absoluteTimeoutMilliseconds: nil if none is configured. Rounded up to whole seconds.
    ///   - cookieMaxAge: the affinity cookie's Max-Age in seconds; if not above zero, the cookie has none.
    package init(idleTimeoutMilliseconds: Int64?, absoluteTimeoutMilliseconds: Int64? = nil, cookieMaxAge: Int = 0) {
        validitySeconds = max(1, idleTimeoutMilliseconds.map(Self.wholeSeconds) ?? Self.defaultValiditySeconds)
        renewalAgeSeconds =
            (cookieMaxAge > 0 ? min(validitySeconds, UInt32(clamping: cookieMaxAge)) : validitySeconds) / 4
        tolerance = min(120, validitySeconds / 3)
        absolute = absoluteTimeoutMilliseconds.map { max(1, Self.wholeSeconds($0)) }
    }

    private static func wholeSeconds(_ milliseconds: Int64) -> UInt32 {
        UInt32(clamping: max(0, milliseconds / 1000) + (milliseconds % 1000 > 0 ? 1 : 0))
    }

    /// Whether the hint is valid: it was issued neither in the future nor too long ago, with the tolerance for clocks,
    /// and its session has not ended.
    package func isValid(_ hint: Hint, now: UInt32) -> Bool {
        let age = Int64(now) - Int64(hint.issued)
        if let absolute, Int64(now) - Int64(hint.createdAtSeconds) >= Int64(absolute) { return false }
        return age >= -Int64(tolerance) && age <= Int64(validitySeconds) + Int64(tolerance)
    }

    /// Whether the response to a request with this route sets the affinity cookie: the session is new, the request had
    /// no valid hint, the hint names another binding, or the hint is older than ``renewalAgeSeconds``. A detour binds
    /// nothing, so it renews nothing.
    package func isDue(for route: Route, hint: Hint?, now: UInt32) -> Bool {
        if route.provenance == .detoured { return false }
        guard let hint else { return true }
        return hint.binding != route.binding || Int64(now) - Int64(hint.issued) > Int64(renewalAgeSeconds)
    }
}
