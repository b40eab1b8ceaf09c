package import Affinity
import Proxy
import Store

/// What this replica knows of one session: what `/api/sessions/<fingerprint>` says. The store is not asked.
package struct SessionView: Codable, Equatable, Sendable {
    package enum Kind: String, Codable, Sendable {
        case confirmed, dirty, guess
    }

    /// As the request has it, 32 hexadecimal digits.
    package var fingerprint: String
    package var service: String
    /// Null where nothing is known; then so are `backend`, `epoch` and `suspect`.
    @Always package var kind: Kind?
    /// The backend that the session is bound to. Null also where that is not configured any more, or the session was
    /// dropped.
    @Always package var backend: String?
    @Always package var epoch: UInt32?
    /// Whether the store is asked before this is used.
    @Always package var suspect: Bool?
    /// The backend to which its next request would go, if the store said nothing else; null: it would be refused.
    @Always package var wouldGo: String?

    /// - Parameters:
    ///   - entry: what the cache holds of the session.
    ///   - isCovered: whether the channel vouches for the entry.
    init(
        _ fingerprint: Fingerprint, of service: Proxy.Service, entry: BindingCache.Entry?, isCovered: Bool
    ) {
        self.fingerprint = fingerprint.hexadecimal
        self.service = service.name
        _kind = Always(wrappedValue: entry.map { Kind($0.kind) })
        let index = entry.flatMap { service.membership.index(of: $0.binding.backend) }
        _backend = Always(wrappedValue: index.map { service.membership.backends[$0].name })
        _epoch = Always(wrappedValue: entry?.binding.epoch)
        _suspect = Always(wrappedValue: entry.map { $0.isSuspect || !isCovered })
        _wouldGo = Always(wrappedValue: Self.target(fingerprint, of: service, bound: index))
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
        return index.map { membership.backends[$0].name }
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
