import Affinity

/// What one server held, and when: the basis for judging decisions.
struct ServerHistory {
    /// A binding that was in the store for a period.
    struct Reign {
        enum End: String {
            /// A write of a higher epoch, which is published.
            case superseded
            /// All data was lost, which a changed era or server announces.
            case announced
            /// The lifetime ended.
            case expired
            /// The record was evicted or overwritten without any announcement.
            case silent
        }

        let binding: Binding
        let since: Moment
        /// Counts the records of a session: a record that was created when there was none is a new incarnation.
        let incarnation: Int
        var isPublished: Bool
        var until: Moment?
        var end: End?
    }

    enum Verdict {
        case fine(incarnation: Int)
        case wrong(String)
    }

    /// How long after the end of a reign decisions may still use it.
    struct Grace {
        /// The bound of the protocol.
        let told: Moment
        var expired: Moment
        let untold: Moment
    }

    private var reigns: [Fingerprint: [Reign]] = [:]
    private var announcements: [Moment] = []

    mutating func begin(
        _ binding: Binding, of session: Fingerprint, isPublished: Bool, continues: Bool, now: Moment
    ) {
        let last = reigns[session]?.last?.incarnation ?? 0
        reigns[session, default: []].append(
            Reign(
                binding: binding, since: now, incarnation: continues ? last : last + 1, isPublished: isPublished,
                until: nil, end: nil))
    }

    mutating func end(_ session: Fingerprint, _ end: Reign.End, at moment: Moment) {
        guard let index = reigns[session]?.indices.last, reigns[session]?[index].until == nil else { return }
        reigns[session]?[index].until = moment
        reigns[session]?[index].end = end
    }

    mutating func announceLoss(at moment: Moment) {
        announcements.append(moment)
        for session in reigns.keys { end(session, .announced, at: moment) }
    }

    /// The bindings that stood at some time between two, the earliest first.
    /// - Parameter expiry: the time at which the current record expires, if there is one.
    func standing(_ session: Fingerprint, from start: Moment, to end: Moment, expiry: Moment?) -> [Reign] {
        (reigns[session] ?? []).filter { $0.since <= end && ($0.until ?? expiry ?? .min) > start }
    }

    /// The latest incarnation of the session's records; 0 if it never had one.
    func incarnation(of session: Fingerprint) -> Int { reigns[session]?.last?.incarnation ?? 0 }

    /// Whether a decision may use this binding now.
    /// - Parameter expiry: the time at which the current record expires, if there is one.
    func judge(
        _ binding: Binding, of session: Fingerprint, expiry: Moment?, grace: Grace, now: Moment
    ) -> Verdict {
        var reason: String?
        for reign in (reigns[session] ?? []).reversed() where reign.binding == binding {
            let until = reign.until ?? (expiry ?? now)
            let end = reign.end ?? .expired
            if reign.until == nil, now <= until { return .fine(incarnation: reign.incarnation) }
            let allowed =
                switch end {
                case .superseded, .announced: grace.told
                case .expired: grace.expired
                case .silent: grace.untold
                }
            let told = firstTold(after: reign, session, end)
            if now <= until + allowed, told.map({ now <= $0 + grace.told }) ?? true {
                return .fine(incarnation: reign.incarnation)
            }
            let what = told == nil ? "\(end.rawValue)" : "superseded by word of it"
            reason = reason ?? "\(what) \(now - (told ?? until)) µs ago"
        }
        return .wrong(reason ?? "the store never held it")
    }

    /// After a reign that ended silently, the time at which its end was first published or announced.
    private func firstTold(after reign: Reign, _ session: Fingerprint, _ end: Reign.End) -> Moment? {
        guard end == .silent, let until = reign.until else { return nil }
        let published = (reigns[session] ?? []).first {
            $0.since >= until && $0.isPublished && $0.binding.epoch > reign.binding.epoch
        }?.since
        let announced = announcements.first { $0 >= until }
        return [published, announced].compactMap { $0 }.min()
    }
}
