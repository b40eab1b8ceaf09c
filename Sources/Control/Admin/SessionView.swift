package import Affinity
import Proxy
import Store

/// What is known of one session: what `/api/sessions/<fingerprint>` says. From the replica's cache, and from the store
/// where the cache does not vouch for the session; the store is only looked at, so nothing changes by it.
package struct SessionView: Codable, Equatable, Sendable {
    package enum Kind: String, Codable, Sendable {
        case confirmed, dirty, guess
    }

    /// Who says where the session is.
    package enum Source: String, Codable, Sendable {
        case cache, store
    }

    package enum StoreSight: String, Codable, Sendable {
        /// It was asked, and answered.
        case asked
        /// It was to be asked, and gave no answer within its budget.
        case away
    }

    /// As the request has it, 32 hexadecimal digits.
    package var fingerprint: String
    package var service: String
    /// Null where nothing is known; then so are `kind`, `backend`, `epoch` and `suspect`.
    @ExplicitNull package var source: Source?
    /// Null where the store was not asked: the cache vouches for the session.
    @ExplicitNull package var store: StoreSight?
    /// A record of the store is confirmed.
    @ExplicitNull package var kind: Kind?
    /// The backend that the session is bound to. Null also where that is not configured any more, or the session was
    /// dropped.
    @ExplicitNull package var backend: String?
    @ExplicitNull package var epoch: UInt32?
    /// Of what the cache says, whether the store is asked before it is used; null of what the store says.
    @ExplicitNull package var suspect: Bool?
    /// The backend to which its next request would go, if nothing happens before; null: it would be refused.
    @ExplicitNull package var wouldGo: String?

    /// - Parameters:
    ///   - entry: what the cache holds of the session.
    ///   - isCovered: whether the channel vouches for the entry.
    ///   - answer: what the store said to a look; nil: it was not asked.
    init(
        _ fingerprint: Fingerprint, of service: Proxy.Service, entry: BindingCache.Entry?, isCovered: Bool,
        answer: StoreResult? = nil
    ) {
        self.fingerprint = fingerprint.hexadecimal
        self.service = service.name
        _store = ExplicitNull(wrappedValue: answer.map(StoreSight.init))
        let record = answer.flatMap(Self.record).flatMap { Self.stands($0, against: entry, service) ? $0 : nil }
        let binding = record ?? entry?.binding
        _source = ExplicitNull(wrappedValue: record != nil ? .store : entry.map { _ in .cache })
        _kind = ExplicitNull(wrappedValue: record != nil ? .confirmed : entry.map { Kind($0.kind) })
        let index = binding.flatMap { service.membership.index(of: $0.backend) }
        _backend = ExplicitNull(wrappedValue: index.map { service.membership.backends[$0].name })
        _epoch = ExplicitNull(wrappedValue: binding?.epoch)
        _suspect = ExplicitNull(wrappedValue: record != nil ? nil : entry.map { $0.isSuspect || !isCovered })
        _wouldGo = ExplicitNull(wrappedValue: Self.target(fingerprint, of: service, bound: index))
    }

    /// Whether the next request would be decided by the entry alone: then the store is not asked here either.
    static func isVouchedFor(_ entry: BindingCache.Entry?, isCovered: Bool) -> Bool {
        isCovered && entry?.maySuffice == true
    }

    private static func record(_ answer: StoreResult) -> Binding? {
        switch answer {
        case .record(let record), .readOnly(let record): record.binding
        case .written, .absent, .foreign, .unavailable: nil
        }
    }

    /// Whether a request would go by the record. What the replica knows stands at a higher epoch, and where nobody who
    /// knew it made the record.
    private static func stands(_ record: Binding, against entry: BindingCache.Entry?, _ service: Proxy.Service) -> Bool
    {
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
    fileprivate init(_ kind: BindingCache.Kind) {
        switch kind {
        case .confirmed: self = .confirmed
        case .dirty: self = .dirty
        case .guess: self = .guess
        }
    }
}

extension Fingerprint {
    /// 32 digits, most significant first.
    package var hexadecimal: String { high.hexadecimal + low.hexadecimal }

    /// Reads what `hexadecimal` writes, in either case; nil for anything else.
    package init?(hexadecimal text: some StringProtocol) {
        guard text.utf8.count == 32, text.utf8.allSatisfy({ Character(UnicodeScalar($0)).isHexDigit }),
            let high = UInt64(text.prefix(16), radix: 16), let low = UInt64(text.dropFirst(16), radix: 16)
        else { return nil }
        self.init(high: high, low: low)
    }
}
