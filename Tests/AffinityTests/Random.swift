import Affinity

/// SplitMix64: tests that draw lots draw the same ones each time.
struct Random: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
        return mixed ^ mixed >> 31
    }

    mutating func fingerprint() -> Fingerprint { Fingerprint(high: next(), low: next()) }
}

extension FingerprintScope {
    func of(_ text: String) -> Fingerprint {
        Array(text.utf8).withUnsafeBytes { fingerprint(of: $0) }
    }
}
