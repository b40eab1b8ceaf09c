import CLimpetRESP

/// Why bytes cannot be parsed as replies. The connection cannot be used any further.
enum RESPFault: Error, Equatable {
    /// Not RESP2.
    case malformed
    /// A reply exceeds the limits in ``RESPLimits``.
    case tooLarge
    case noMemory
}

/// The limits on replies that one connection may buffer.
struct RESPLimits {
    var buffered = 64 * 1024
    var bulk = 32 * 1024
    var records: UInt32 = 256
    var nesting: UInt32 = 4
}

/// Wraps hiredis's reader: bytes in, complete replies out. Allocates nothing per reply in steady state.
final class RESPReader {
    private let reader: OpaquePointer

    /// Nil if memory allocation fails.
    init?(limits: RESPLimits = RESPLimits()) {
        let limits = limpet_limits(
            buffered: limits.buffered, bulk: limits.bulk, records: limits.records, nesting: limits.nesting)
        guard let reader = limpet_reader_new(limits) else { return nil }
        self.reader = reader
    }

    deinit { limpet_reader_free(reader) }

    /// Parses every reply that the bytes complete. After a fault the reader accepts no more bytes, but replies
    /// completed before the fault can still be read.
    func feed(_ bytes: UnsafeRawBufferPointer) -> RESPFault? {
        switch limpet_reader_feed(reader, bytes.baseAddress, bytes.count) {
        case LIMPET_OK: nil
        case LIMPET_TOO_LARGE: .tooLarge
        case LIMPET_NO_MEMORY: .noMemory
        default: .malformed
        }
    }

    /// Calls `body` with each complete reply, oldest first, until it returns false, then discards all of them. A value
    /// points into the reader and is valid only within `body`.
    func drain(_ body: (RESPValue) -> Bool) {
        var count = 0
        let records = limpet_reader_records(reader, &count)
        let bytes = UnsafeRawPointer(limpet_reader_bytes(reader))
        var rest = UnsafeBufferPointer(start: records, count: count)[...]
        while let value = RESPValue(next: &rest, bytes: bytes), body(value) {}
        limpet_reader_consume(reader)
    }
}

/// One reply, pointing into the reader.
enum RESPValue {
    case none
    case integer(Int64)
    case string(UnsafeRawBufferPointer)
    case status(UnsafeRawBufferPointer)
    case error(UnsafeRawBufferPointer)
    case array(RESPElements)

    /// Takes the value that starts at the first record, with all the records that belong to it.
    fileprivate init?(next records: inout Slice<UnsafeBufferPointer<limpet_record>>, bytes: UnsafeRawPointer?) {
        guard let record = records.popFirst() else { return nil }
        switch record.type {
        case LIMPET_STRING: self = .string(record.text(in: bytes))
        case LIMPET_STATUS: self = .status(record.text(in: bytes))
        case LIMPET_ERROR: self = .error(record.text(in: bytes))
        case LIMPET_INTEGER: self = .integer(record.integer)
        case LIMPET_ARRAY:
            let elements = RESPElements(count: Int(record.elements), records: records, bytes: bytes)
            self = .array(elements)
            for _ in 0..<record.elements {
                guard RESPValue(next: &records, bytes: bytes) != nil else { return nil }
            }
        default: self = .none
        }
    }
}

/// The elements of an array.
struct RESPElements: Sequence, IteratorProtocol {
    private(set) var count: Int
    fileprivate var records: Slice<UnsafeBufferPointer<limpet_record>>
    fileprivate let bytes: UnsafeRawPointer?

    mutating func next() -> RESPValue? {
        guard count > 0 else { return nil }
        count -= 1
        return RESPValue(next: &records, bytes: bytes)
    }
}

extension limpet_record {
    fileprivate func text(in bytes: UnsafeRawPointer?) -> UnsafeRawBufferPointer {
        guard let bytes, length > 0 else { return UnsafeRawBufferPointer(start: nil, count: 0) }
        return UnsafeRawBufferPointer(start: bytes + offset, count: length)
    }
}
