/// One set of the cache in raw memory: 16 adjacent tags (two cache lines), then 16 slots, then the upper halves of the
/// fingerprints. A lookup reads only tags and one slot; the upper halves are needed to name an entry to the store.
struct CacheSet {
    static let ways = 16
    static let byteCount = ways * (2 * MemoryLayout<UInt64>.stride + MemoryLayout<CacheSlot>.stride)

    private let tags: UnsafeMutablePointer<UInt64>
    private let slots: UnsafeMutablePointer<CacheSlot>
    private let uppers: UnsafeMutablePointer<UInt64>

    /// `memory` holds `byteCount` bytes, aligned to 8.
    init(_ memory: UnsafeMutableRawPointer) {
        tags = memory.assumingMemoryBound(to: UInt64.self)
        slots = (memory + Self.slotsOffset).assumingMemoryBound(to: CacheSlot.self)
        uppers = (memory + Self.uppersOffset).assumingMemoryBound(to: UInt64.self)
    }

    private static let slotsOffset = ways * MemoryLayout<UInt64>.stride
    private static let uppersOffset = slotsOffset + ways * MemoryLayout<CacheSlot>.stride

    /// Initializes raw memory as an empty set.
    static func initialize(_ memory: UnsafeMutableRawPointer) {
        memory.initializeMemory(as: UInt64.self, repeating: 0, count: ways)
        (memory + slotsOffset).initializeMemory(as: CacheSlot.self, repeating: .empty, count: ways)
        (memory + uppersOffset).initializeMemory(as: UInt64.self, repeating: 0, count: ways)
    }

    subscript(way: Int) -> CacheSlot {
        get { slots[way] }
        nonmutating set { slots[way] = newValue }
    }

    /// The way that holds this tag, expired or not.
    func way(of tag: UInt64) -> Int? {
        for way in 0..<Self.ways where tags[way] == tag && slots[way].kind != nil { return way }
        return nil
    }

    /// The fingerprint whose entry the way holds.
    func fingerprint(at way: Int) -> Fingerprint { Fingerprint(high: uppers[way], low: tags[way]) }

    /// The most dispensable way, if a new entry with this limit may take it.
    func victim(limit: CacheRank, now: CacheTick, use: UInt16) -> Int? {
        var victim: Int?
        var most = UInt32(limit.rawValue) << 16
        for way in 0..<Self.ways {
            let dispensability = slots[way].dispensability(now: now, use: use)
            if dispensability >= most { (victim, most) = (way, dispensability + 1) }
        }
        return victim
    }

    func put(_ slot: CacheSlot, of fingerprint: Fingerprint, at way: Int) {
        tags[way] = fingerprint.low
        uppers[way] = fingerprint.high
        slots[way] = slot
    }

    func clear(_ way: Int) { put(.empty, of: Fingerprint(high: 0, low: 0), at: way) }
}
