/// One set of the cache in raw memory: 16 adjacent tags (two cache lines), then 16 slots.
struct CacheSet {
    static let ways = 16
    static let byteCount = ways * (MemoryLayout<UInt64>.stride + MemoryLayout<CacheSlot>.stride)

    private let tags: UnsafeMutablePointer<UInt64>
    private let slots: UnsafeMutablePointer<CacheSlot>

    /// `memory` holds `byteCount` bytes, aligned to 8.
    init(_ memory: UnsafeMutableRawPointer) {
        tags = memory.assumingMemoryBound(to: UInt64.self)
        slots = (memory + Self.ways * MemoryLayout<UInt64>.stride).assumingMemoryBound(to: CacheSlot.self)
    }

    /// Initializes raw memory as an empty set.
    static func initialize(_ memory: UnsafeMutableRawPointer) {
        memory.initializeMemory(as: UInt64.self, repeating: 0, count: ways)
        (memory + ways * MemoryLayout<UInt64>.stride).initializeMemory(
            as: CacheSlot.self, repeating: .empty, count: ways)
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

    /// The way to give to a new entry: an empty one, else the most dispensable.
    func victim(now: CacheTick, use: UInt16) -> Int {
        var victim = 0
        var most: UInt32 = 0
        for way in 0..<Self.ways {
            let dispensability = slots[way].dispensability(now: now, use: use)
            if dispensability > most { (victim, most) = (way, dispensability) }
        }
        return victim
    }

    func put(_ slot: CacheSlot, tag: UInt64, at way: Int) {
        tags[way] = tag
        slots[way] = slot
    }

    func clear(_ way: Int) { put(.empty, tag: 0, at: way) }
}
