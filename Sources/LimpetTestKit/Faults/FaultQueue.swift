import NIOCore

/// The bytes in flight in one direction of a link: first in, first out, even if the delay changes. For one event loop.
///
/// A class, because writing to a channel may call back into the same queue.
final class FaultQueue {
    enum Item {
        case bytes(ByteBuffer)
        /// The connection at the other side was closed.
        case end
    }

    /// The source is not read while this many bytes are held.
    static let byteCountMax = 1 << 20

    private var items: [(item: Item, due: NIODeadline)] = []
    private(set) var byteCount = 0
    private var timerDue: NIODeadline?
    private var isReading = true

    func append(_ item: Item, due: NIODeadline) {
        items.append((item, due))
        if case .bytes(let bytes) = item { byteCount += bytes.readableBytes }
    }

    /// Removes and returns the first item if it is due.
    func next(at now: NIODeadline) -> Item? {
        guard let first = items.first, first.due <= now else { return nil }
        items.removeFirst()
        if case .bytes(let bytes) = first.item { byteCount -= bytes.readableBytes }
        return first.item
    }

    /// When to check again; nil if nothing waits, the first item is due, or an earlier timer is pending.
    func timer(after now: NIODeadline) -> NIODeadline? {
        guard let due = items.first?.due, due > now, timerDue.map({ due < $0 }) ?? true else { return nil }
        timerDue = due
        return due
    }

    func timerFired(at now: NIODeadline) {
        if let due = timerDue, due <= now { timerDue = nil }
    }

    func removeAll() {
        items = []
        byteCount = 0
    }

    /// Reads from the source while there is room.
    func setReading(of source: any Channel) {
        let isRoom = byteCount < Self.byteCountMax
        guard isRoom != isReading else { return }
        isReading = isRoom
        try? source.syncOptions?.setOption(.autoRead, value: isRoom)
    }
}

/// The commands that make a connection a subscriber: `SUBSCRIBE`, `PSUBSCRIBE`, `SSUBSCRIBE`.
enum SubscribeCommand {
    /// A client that subscribes does so within this number of its first bytes.
    static let openingMax = 4096
    private static let word = Array("subscribe\r\n".utf8)

    static func occurs(in opening: [UInt8]) -> Bool {
        guard opening.count >= word.count else { return false }
        return (0...opening.count - word.count).contains { start in
            word.indices.allSatisfy { lowercased(opening[start + $0]) == word[$0] }
        }
    }

    private static func lowercased(_ byte: UInt8) -> UInt8 {
        (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
    }
}
