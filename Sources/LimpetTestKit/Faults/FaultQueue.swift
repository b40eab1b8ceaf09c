import NIOCore

/// What is under way in one direction of a link: first in, first out, however the delay changes. For one event loop.
///
/// A reference: to write to a channel may call back, and that looks here again.
final class FaultQueue {
    enum Item {
        case bytes(ByteBuffer)
        /// The connection at the other side was closed.
        case end
    }

    /// When so much is held, its source is not read.
    static let byteCountMax = 1 << 20

    private var items: [(item: Item, due: NIODeadline)] = []
    private(set) var byteCount = 0
    private var timerDue: NIODeadline?
    private var isReading = true

    func append(_ item: Item, due: NIODeadline) {
        items.append((item, due))
        if case .bytes(let bytes) = item { byteCount += bytes.readableBytes }
    }

    /// Takes out the first if it is due.
    func next(at now: NIODeadline) -> Item? {
        guard let first = items.first, first.due <= now else { return nil }
        items.removeFirst()
        if case .bytes(let bytes) = first.item { byteCount -= bytes.readableBytes }
        return first.item
    }

    /// When to look again, if the first is not due yet and nobody will look before.
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

    /// Lets the source be read as long as there is room.
    func setReading(of source: any Channel) {
        let isRoom = byteCount < Self.byteCountMax
        guard isRoom != isReading else { return }
        isReading = isRoom
        try? source.syncOptions?.setOption(.autoRead, value: isRoom)
    }
}

/// The commands that make a connection a subscriber: `SUBSCRIBE`, `PSUBSCRIBE`, `SSUBSCRIBE`.
enum SubscribeCommand {
    /// Within so many of its first bytes a client says that it subscribes.
    static let openingMax = 4096
    private static let word = Array("subscribe\r\n".utf8)

    static func stands(in opening: [UInt8]) -> Bool {
        guard opening.count >= word.count else { return false }
        return (0...opening.count - word.count).contains { start in
            word.indices.allSatisfy { lowercased(opening[start + $0]) == word[$0] }
        }
    }

    private static func lowercased(_ byte: UInt8) -> UInt8 {
        (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
    }
}
