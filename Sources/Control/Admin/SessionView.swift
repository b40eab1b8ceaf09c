package import Affinity
import Proxy
import Store

/// What is known about one session: the body of `/api/sessions/<fingerprint>`. It combines the replica's cache and, if
/// the cache does not vouch for the session, the store. The store is only read, so nothing changes.
package struct SessionView: Codable, Equatable, Sendable {
    package enum Kind: String, Codable, Sendable {
        case confirmed, dirty, guess
        /// Confirmed to another replica: known from an announcement or a scan of the store.
        case standby
        /// Its lifetime here is over. Without the store it names the backend of a guess.
        case expired
    }

    /// Where the binding was found.
    package enum Source: String, Codable, Sendable {
        case cache, store
    }

    package enum StoreSight: String, Codable, Sendable {
        /// The store was queried and answered.
        case asked
        /// The store was queried and did not answer within its budget.
        case away
    }

    /// As in the request: 32 hexadecimal digits.
    package var fingerprint: String
    package var service: String
    /// Null if nothing is known; then `kind`, `backend`, `epoch` and `suspect` are null too.
    @ExplicitNull package var source: Source?
    /// Null if the store was not queried because the cache vouches for the session.
    @ExplicitNull package var store: StoreSight?
    /// A record in the store counts as confirmed.
    @ExplicitNull package var kind: Kind?
    /// The backend that the session is bound to. Also null if that backend is no longer configured, and if the session
    /// was dropped.
    @ExplicitNull package var backend: String?
    @ExplicitNull package var epoch: UInt32?
    /// For a binding from the cache: whether the store is queried before it is used. Null for one from the store.
    @ExplicitNull package var suspect: Bool?
    /// The backend that its next request would go to if nothing changes until then. Null: the request would be refused.
    @ExplicitNull package var wouldGo: String?

    /// - Parameters:
    ///   - entry: the cache's entry for the session.
    ///   - expired: its expired entry, if it has no other.
    ///   - isCovered: whether the channel vouches for the entry.
    ///   - answer: the store's result; nil: the store was not queried.
    init(
        _ fingerprint: Fingerprint, of service: Proxy.Service, entry: BindingCache.Entry?,
        expired: BindingCache.Entry? = nil, isCovered: Bool, answer: StoreResult? = nil
    ) {
        let sight = answer.map(StoreSight.init)
        let guess = entry == nil && sight == .away ? expired : nil
        let isExpired = guess != nil
        let entry = entry ?? guess
        self.fingerprint = fingerprint.hexadecimal
        self.service = service.name
        _store = ExplicitNull(wrappedValue: sight)
        let record = answer.flatMap(Self.record).flatMap { Self.wins($0, against: entry, service) ? $0 : nil }
        let binding = record ?? entry?.binding
        _source = ExplicitNull(wrappedValue: record != nil ? .store : entry.map { _ in .cache })
        _kind = ExplicitNull(
            wrappedValue: record != nil ? .confirmed : entry.map { isExpired ? .expired : Kind($0) })
        let index = binding.flatMap { service.membership.index(of: $0.backend) }
        _backend = ExplicitNull(wrappedValue: index.map { service.membership.backends[$0].name })
        _epoch = ExplicitNull(wrappedValue: binding?.epoch)
        _suspect = ExplicitNull(wrappedValue: record != nil ? nil : entry.map { $0.isSuspect || !isCovered })
        _wouldGo = ExplicitNull(wrappedValue: Self.target(fingerprint, of: service, bound: index))
    }

    /// Whether the next request would be decided by the entry alone. The store is not queried here either, then.
    static func isVouchedFor(_ entry: BindingCache.Entry?, isCovered: Bool) -> Bool {
        isCovered && entry?.maySuffice == true
    }

    private static func record(_ answer: StoreResult) -> Binding? {
        switch answer {
        case .record(let record), .readOnly(let record): record.binding
        case .written, .absent, .foreign, .unavailable: nil
        }
    }

    /// Whether a request would follow the record. The replica's entry prevails if its epoch is higher. At the same
    /// epoch, it prevails over a record made without knowledge of it, while the entry's backend is up.
    private static func wins(_ record: Binding, against entry: BindingCache.Entry?, _ service: Proxy.Service) -> Bool {
        guard let entry else { return true }
        guard record.epoch == entry.binding.epoch else { return record.epoch > entry.binding.epoch }
        guard entry.conflicts(by: record) else { return true }
        return !service.causes(against: entry.binding.backend).isUp
    }

    private static func target(_ fingerprint: Fingerprint, of service: Proxy.Service, bound: Int?) -> String? {
        let (membership, health) = (service.membership, service.health)
        if let bound {
            if health.isUp(bound) { return membership.backends[bound].name }
            if service.sticky?.settings.onUnavailable == .reject { return nil }
        }
        let index =
            membership.choose(fingerprint) { health.isUp($0) && !health.isAvoided($0) }
            ?? membership.choose(fingerprint) { health.isUp($0) }
            ?? membership.choose(fingerprint, draining: true) { health.isUp($0) }
        return index.map { membership.backends[$0].name }
    }
}

extension SessionView.StoreSight {
    fileprivate init(_ answer: StoreResult) {
        switch answer {
        case .unavailable: self = .away
        case .written, .record, .readOnly, .absent, .foreign: self = .asked
        }
    }
}

extension SessionView.Kind {
    fileprivate init(_ entry: BindingCache.Entry) {
        switch entry.kind {
        case .confirmed: self = entry.isStandby ? .standby : .confirmed
        case .dirty: self = .dirty
        case .guess: self = .guess
        }
    }
}

extension Fingerprint {
    /// 32 digits, most significant first.
    package var hexadecimal: String { high.hexadecimal + low.hexadecimal }

    /// Parses the format of `hexadecimal`, in either case. Nil for anything else.
    package init?(hexadecimal text: some StringProtocol) {
        guard text.utf8.count == 32, text.utf8.allSatisfy({ Character(UnicodeScalar($0)).isHexDigit }),
            let high = UInt64(text.prefix(16), radix: 16), let low = UInt64(text.dropFirst(16), radix: 16)
        else { return nil }
        self.init(high: high, low: low)
    }
}
