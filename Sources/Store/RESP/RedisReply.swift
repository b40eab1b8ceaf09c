import Affinity

/// The part of a reply that operations need: a value without pointers.
enum RedisReply: Equatable {
    case none
    case integer(Int64)
    /// What the scripts return: a record, or 0, with its lifetime and when its session began, or 0.
    case verdict(record: Int64, lifetimeMilliseconds: Int64, createdAtSeconds: Int64)
    case record(Record)
    /// A string that Limpet would not have written.
    case foreignText
    /// An empty string: a foreign value, or a part of a value that does not exist.
    case emptyText
    case status
    /// What `SCAN` returns.
    case page(ScanPage)
    case wrongType
    case noScript
    /// A write was refused because the server is a replica.
    case readOnly
    /// Any other error.
    case refusal
    /// Not a reply to any command that Limpet sends.
    case unexpected

    init(_ value: RESPValue) {
        switch value {
        case .none: self = .none
        case .integer(let integer): self = .integer(integer)
        case .string(let text):
            self = Record(text).map(RedisReply.record) ?? (text.isEmpty ? .emptyText : .foreignText)
        case .status: self = .status
        case .error(let text): self = Self.error(text)
        case .array(let elements): self = Self.verdict(elements)
        }
    }

    /// The reply to a `SCAN`.
    init(toScan value: RESPValue, keyPrefix: [UInt8]) {
        if case .array(let elements) = value, let page = ScanPage(elements, keyPrefix: keyPrefix) {
            self = .page(page)
        } else {
            self.init(value)
        }
    }

    private static func error(_ text: UnsafeRawBufferPointer) -> RedisReply {
        switch RedisErrorCode(text) {
        case .wrongType: .wrongType
        case .noScript: .noScript
        case .readOnly: .readOnly
        default: .refusal
        }
    }

    private static func verdict(_ elements: RESPElements) -> RedisReply {
        var elements = elements
        guard elements.count == 3, case .integer(let record) = elements.next(),
            case .integer(let lifetimeMilliseconds) = elements.next(),
            case .integer(let createdAtSeconds) = elements.next()
        else { return .unexpected }
        return .verdict(record: record, lifetimeMilliseconds: lifetimeMilliseconds, createdAtSeconds: createdAtSeconds)
    }
}
