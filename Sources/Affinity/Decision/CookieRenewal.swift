/// How long a hint is valid, when the affinity cookie is sealed anew, and what a hint says of its session's record.
/// Times are in seconds since 1970 by the wall clock.
///
/// A young hint *vouches* for the record: the replica that sealed it knew how long the record lives at least, and that
/// is long enough for this request to need no touch. So one touch serves all replicas. A replica that does not know
/// this seals a hint that counts as older and does not vouch.
package struct CookieRenewal: Sendable {
    /// The validity of hints if no idle timeout is configured.
    package static let defaultValiditySeconds: UInt32 = 24 * 60 * 60

    /// Seconds for which a hint is valid after it was issued.
    package let validitySeconds: UInt32
    /// Age in seconds at which the affinity cookie is sealed anew: a quarter of what ends first, the hint's validity or
    /// the cookie's Max-Age. So an active client's cookie does not expire in the browser. Less where a hint vouches for
    /// less.
    package let renewalAgeSeconds: UInt32
    /// Age in seconds up to which a hint vouches for its record; 0: none does, because the clocks may differ by too
    /// much of the validity.
    package let vouchingAgeSeconds: UInt32
    /// How long a record lives at least, in milliseconds, when a hint is sealed that vouches for it. The session then
    /// still has its whole idle timeout when the hint is as old as may be and the clocks differ as far as may be.
    package let vouchedLifeMilliseconds: Int64
    /// Seconds by which the clocks of two replicas may differ: two minutes, but at most a third of the validity.
    package let tolerance: UInt32
    /// Maximum age of a session in seconds, after which its hints are invalid too; nil: no limit.
    package let absolute: UInt32?

    /// - Parameters:
    ///   - idleTimeoutMilliseconds: nil if none is configured. Rounded up to whole seconds.
    ///   - absoluteTimeoutMilliseconds: nil if none is configured. Rounded up to whole seconds.
    ///   - cookieMaxAge: the affinity cookie's Max-Age in seconds; if not above zero, the cookie has none.
    ///   - toleranceMaxSeconds: by how much the clocks of two replicas may differ, whatever the validity.
    package init(
        idleTimeoutMilliseconds: Int64?, absoluteTimeoutMilliseconds: Int64? = nil, cookieMaxAge: Int = 0,
        toleranceMaxSeconds: UInt32 = 120
    ) {
        validitySeconds = max(1, idleTimeoutMilliseconds.map(Self.wholeSeconds) ?? Self.defaultValiditySeconds)
        let quarterSeconds =
            (cookieMaxAge > 0 ? min(validitySeconds, UInt32(clamping: cookieMaxAge)) : validitySeconds) / 4
        tolerance = min(toleranceMaxSeconds, validitySeconds / 3)
        // A record lives a third longer than a session may be idle. Of that third, the clocks and their whole seconds
        // take a part, and a response may take some time: the rest is what a hint may age.
        let third = Int64(validitySeconds / 3)
        let room = third - Int64(tolerance) - 1 - max(1, third / 32)
        let most = min(Int64(quarterSeconds), room)
        // Below that, cookies would be renewed too often, or a browser might drop one that does not vouch.
        let age = most < Int64(validitySeconds / 8) ? 0 : most
        vouchingAgeSeconds = UInt32(clamping: age)
        renewalAgeSeconds = age > 0 ? vouchingAgeSeconds : quarterSeconds
        vouchedLifeMilliseconds = (Int64(validitySeconds) + age + Int64(tolerance) + 1) * 1000
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

    /// Whether a valid hint vouches for the record of its binding.
    package func vouches(_ hint: Hint, now: UInt32) -> Bool {
        vouchingAgeSeconds > 0 && Int64(now) - Int64(hint.issued) <= Int64(vouchingAgeSeconds)
    }

    /// When the hint counts as issued that the response to a request with this route carries. Nil if it carries none:
    /// it does if the session is new, the request had no valid hint, the hint names another binding, or the hint is
    /// older than ``renewalAgeSeconds``. A detour binds nothing, so it renews nothing.
    ///
    /// A hint that may not vouch counts as issued earlier: so long ago that it vouches by no replica's clock. It is
    /// renewed later, so that not every response during an outage carries one.
    ///
    /// - Parameter recordLives: whether the record lives for ``vouchedLifeMilliseconds``, or there is no record yet.
    package func issued(
        for route: Route, hint: Hint?, recordLives: @autoclosure () -> Bool, now: UInt32
    ) -> UInt32? {
        if route.provenance == .detoured { return nil }
        let age = hint.map { $0.binding == route.binding ? Int64(now) - Int64($0.issued) : .max } ?? .max
        guard age > Int64(renewalAgeSeconds) else { return nil }
        if vouchingAgeSeconds == 0 || recordLives() { return now }
        let plainAge = vouchingAgeSeconds + tolerance + 1
        guard age > Int64(plainAge + renewalAgeSeconds / 2) else { return nil }
        return now - min(now, plainAge)
    }
}
