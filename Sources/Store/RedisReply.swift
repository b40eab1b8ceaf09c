import Affinity

/// A reply as far as questions care for it: a value without pointers.
enum RedisReply: Equatable {
    case none
    case integer(Int64)
    /// What the scripts answer: the record they found, or 0 where they wrote, and its lifetime.
    case pair(Int64, Int64)
    case record(Binding)
    /// A string that Limpet would not have written.
    case foreignText
    case status
    case wrongType
    case noScript
    /// Any other error.
    case refusal
    /// Nothing that any of our commands is answered with.
    case alien

    init(_ value: RESPValue) {
        switch value {
        case .none: self = .none
        case .integer(let integer): self = .integer(integer)
        case .string(let text): self = Binding(recordText: text).map(RedisReply.record) ?? .foreignText
        case .status: self = .status
        case .error(let text): self = Self.error(text)
        case .array(let elements): self = Self.pair(elements)
        }
    }

    private static func error(_ text: UnsafeRawBufferPointer) -> RedisReply {
        switch RedisErrorCode(text) {
        case .wrongType: .wrongType
        case .noScript: .noScript
        default: .refusal
        }
    }

    private static func pair(_ elements: RESPElements) -> RedisReply {
        var elements = elements
        guard elements.count == 2, case .integer(let first) = elements.next(),
            case .integer(let second) = elements.next()
        else { return .alien }
        return .pair(first, second)
    }
}

extension Binding {
    /// The binding that the text of a record stands for. Nil for anything that Limpet would not write, so also for
    /// leading zeros, signs and spaces: the scripts judge alike.
    init?(recordText text: UnsafeRawBufferPointer) {
        guard (1...16).contains(text.count), text[0] != UInt8(ascii: "0") else { return nil }
        var record: UInt64 = 0
        for byte in text {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
            record = record * 10 + UInt64(byte - UInt8(ascii: "0"))
        }
        self.init(record: record)
    }
}
