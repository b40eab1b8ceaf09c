import CLimpetRESP

/// Any bytes, cut anywhere, are the same replies or the same fault; every record lies within the reader's bytes.
///
/// The first byte says into what parts the rest is cut.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzRESP(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    guard count > 0 else { return 0 }
    let bytes = UnsafeRawBufferPointer(start: start + 1, count: count - 1)
    let whole = outcome(of: bytes, parts: max(1, bytes.count))
    let cut = outcome(of: bytes, parts: Int(start[0]) % 17 + 1)
    precondition(whole == cut, "cutting changes the replies")
    return 0
}

private struct Outcome: Equatable {
    var records: [String] = []
    var status = LIMPET_OK
}

private func outcome(of bytes: UnsafeRawBufferPointer, parts: Int) -> Outcome {
    let limits = limpet_limits(buffered: 1 << 16, bulk: 1 << 10, records: 64, nesting: 4)
    guard let reader = limpet_reader_new(limits) else { return Outcome() }
    defer { limpet_reader_free(reader) }
    var outcome = Outcome()
    var rest = bytes[...]
    while !rest.isEmpty, outcome.status == LIMPET_OK {
        let part = UnsafeRawBufferPointer(rebasing: rest.prefix(parts))
        outcome.status = limpet_reader_feed(reader, part.baseAddress, part.count)
        rest = rest.dropFirst(parts)
        var count = 0
        let records = limpet_reader_records(reader, &count)
        let text = limpet_reader_bytes(reader)
        for record in UnsafeBufferPointer(start: records, count: count) {
            outcome.records.append(describe(record, text))
        }
        limpet_reader_consume(reader)
    }
    return outcome
}

private func describe(_ record: limpet_record, _ text: UnsafePointer<CChar>?) -> String {
    var bytes: [CChar] = []
    // Read in full, so that the sanitizer sees each byte.
    if record.length > 0, let text {
        bytes = Array(UnsafeBufferPointer(start: text + record.offset, count: record.length))
    }
    return "\(record.type) \(record.elements) \(record.integer) \(bytes)"
}
