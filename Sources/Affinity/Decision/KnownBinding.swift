/// The best knowledge about a session here: the highest epoch, with ties broken as read > confirmed > hint > dirty >
/// standby > guess.
struct KnownBinding {
    enum Origin: Comparable {
        case guess, standby, dirty, hint, confirmed
        /// As reported by a store that takes no writes.
        case read
    }

    let binding: Binding
    let origin: Origin
    /// When the session began, if known.
    let createdAtSeconds: UInt32?

    init?(entry: BindingCache.Entry?, hint: Hint?) {
        guard let best = Self.best(entry.map(Self.init(_:)), hint.map(Self.init(_:))) else { return nil }
        self = best
    }

    init(read binding: Binding, createdAtSeconds: UInt32?) {
        self.init(binding: binding, origin: .read, createdAtSeconds: createdAtSeconds)
    }

    /// The better of the two.
    static func best(_ first: KnownBinding?, _ second: KnownBinding?) -> KnownBinding? {
        guard let first, let second else { return first ?? second }
        return first.outweighs(second) ? first : second
    }

    /// Whether it was made without knowledge: it may fill an empty store, but never override a record.
    var isGuess: Bool { binding.epoch == 0 }

    private init(binding: Binding, origin: Origin, createdAtSeconds: UInt32?) {
        self.binding = binding
        self.origin = origin
        self.createdAtSeconds = createdAtSeconds
    }

    private init(_ hint: Hint) {
        self.init(binding: hint.binding, origin: .hint, createdAtSeconds: hint.createdAtSeconds)
    }

    private init(_ entry: BindingCache.Entry) {
        let origin: Origin =
            switch entry.kind {
            case .confirmed: entry.isStandby ? .standby : .confirmed
            case .dirty: .dirty
            case .guess: .guess
            }
        self.init(binding: entry.binding, origin: origin, createdAtSeconds: entry.createdAtSeconds)
    }

    private func outweighs(_ other: KnownBinding) -> Bool {
        binding.epoch == other.binding.epoch ? origin > other.origin : binding.epoch > other.binding.epoch
    }
}
