import Affinity

extension Announcement {
    /// The size of the longest message, in bytes.
    private static let textMax = 22 + recordsMax * (Fingerprint.textLength + 27 + 11 + 3)

    /// Parses `<instance> <0 or 1>`, then ` <fingerprint> <record> <lifetime>` for each record. Nil for anything that
    /// is not exactly of that form.
    init?(_ payload: UnsafeRawBufferPointer) {
        guard payload.count <= Self.textMax else { return nil }
        var words = Words(payload)
        guard let instance = words.next().flatMap({ UInt64(decimal: $0) }),
            let leftOut = words.next().flatMap({ UInt64(decimal: $0) }), leftOut <= 1
        else { return nil }
        var items: [Item] = []
        while let name = words.next() {
            guard items.count < Self.recordsMax, let fingerprint = Fingerprint(text: name),
                let record = words.next().flatMap({ Record($0) }),
                let lifetime = words.next().flatMap({ UInt64(decimal: $0) }),
                let remainingMilliseconds = Int64(exactly: lifetime),
                (1...Self.lifetimeMaxMilliseconds).contains(remainingMilliseconds)
            else { return nil }
            items.append(
                Item(
                    fingerprint,
                    StoredRecord(
                        record.binding, remainingMilliseconds: remainingMilliseconds,
                        createdAtSeconds: record.createdAtSeconds)))
        }
        self.init(instance: instance, hasLeftOut: leftOut == 1, items: items)
    }
}

/// The words of a text, which single spaces separate. Empty ones are words too.
private struct Words {
    private let text: UnsafeRawBufferPointer
    /// Where the next word begins; beyond the end after the last one.
    private var start = 0

    init(_ text: UnsafeRawBufferPointer) { self.text = text }

    mutating func next() -> UnsafeRawBufferPointer? {
        guard start <= text.count else { return nil }
        var end = start
        while end < text.count, text[end] != UInt8(ascii: " ") { end &+= 1 }
        defer { start = end &+ 1 }
        return UnsafeRawBufferPointer(rebasing: text[start..<end])
    }
}
