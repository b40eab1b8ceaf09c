/// Maps a backend's hash to its index in the membership: an open-addressing table, at most half full.
struct BackendIndex: Sendable {
    /// Hash in the upper half, index + 1 in the lower; 0 is a free cell.
    private let cells: [UInt64]
    private let mask: Int

    /// If hashes are equal, the first counts.
    init(_ hashes: [BackendHash]) {
        var size = 4
        while size < hashes.count * 2 { size *= 2 }
        var cells = [UInt64](repeating: 0, count: size)
        for (place, hash) in hashes.enumerated() {
            var cell = Int(hash.bits) & (size - 1)
            while cells[cell] != 0 { cell = (cell + 1) & (size - 1) }
            cells[cell] = UInt64(hash.bits) << 32 | UInt64(place + 1)
        }
        self.cells = cells
        mask = size - 1
    }

    func index(of hash: BackendHash) -> Int? {
        var cell = Int(hash.bits) & mask
        while cells[cell] != 0 {
            if cells[cell] >> 32 == UInt64(hash.bits) { return Int(cells[cell] & 0xFFFF_FFFF) - 1 }
            cell = (cell + 1) & mask
        }
        return nil
    }
}
