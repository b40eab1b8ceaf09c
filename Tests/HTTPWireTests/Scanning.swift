import HTTPWire
import Testing

/// A request head as values, copied out of the bytes it was scanned from, so that two scans can be compared.
struct RequestValues: Equatable {
    var head: RequestHead
    var method: String
    var target: String
    var path: String
    var query: String?
    var authority: String?
    var host: String?
    var fields: [FieldValues]
}

struct ResponseValues: Equatable {
    var head: ResponseHead
    var statusLine: String
    var fields: [FieldValues]
}

struct FieldValues: Equatable {
    var name: String
    var value: [UInt8]
    var kind: FieldName
    var isRemoved: Bool

    var text: String { latin1(value) }
}

enum Scanned<Values: Equatable>: Equatable {
    case incomplete
    case head(Values)
    case refused(HeadRefusal)

    var values: Values? {
        if case .head(let values) = self { return values }
        return nil
    }

    var refusal: HeadRefusal? {
        if case .refused(let refusal) = self { return refusal }
        return nil
    }
}

/// Each byte as the character of the same number, so that nothing is lost or repaired.
func latin1(_ bytes: some Sequence<UInt8>) -> String {
    String(String.UnicodeScalarView(bytes.map { Unicode.Scalar($0) }))
}

/// The opposite of `latin1`: characters up to U+00FF as one byte each.
func bytes(_ text: String) -> [UInt8] {
    text.unicodeScalars.map { UInt8(truncatingIfNeeded: $0.value) }
}

func tableValues(_ table: FieldTable, _ bytes: [UInt8]) -> [FieldValues] {
    (0..<table.count).map { index in
        let field = table[index]
        return FieldValues(
            name: latin1(bytes[field.nameRange]), value: Array(bytes[field.valueRange]), kind: field.name,
            isRemoved: field.isRemoved)
    }
}

/// What is passed on of the field lines of the head scanned last.
func keptBytes(_ table: FieldTable, _ bytes: [UInt8]) -> String {
    var kept: [UInt8] = []
    table.forEachKeptRun { kept += bytes[$0] }
    return latin1(kept)
}

func scanRequest(
    _ bytes: [UInt8], limits: MessageLimits = MessageLimits(), into table: FieldTable = FieldTable()
) -> Scanned<RequestValues> {
    switch bytes.withUnsafeBytes({ HeadScanner(limits: limits).scanRequest($0, into: table) }) {
    case .incomplete: return .incomplete
    case .refused(let refusal): return .refused(refusal)
    case .head(let head):
        return .head(
            RequestValues(
                head: head, method: latin1(bytes[head.methodRange]), target: latin1(bytes[head.target]),
                path: latin1(bytes[head.path]), query: head.query.map { latin1(bytes[$0]) },
                authority: head.authority.map { latin1(bytes[$0]) }, host: head.host.map { latin1(bytes[$0]) },
                fields: tableValues(table, bytes)))
    }
}

func scanRequest(_ text: String, limits: MessageLimits = MessageLimits()) -> Scanned<RequestValues> {
    scanRequest(bytes(text), limits: limits)
}

func scanResponse(
    _ bytes: [UInt8], to method: HTTPWire.Method = .get, limits: MessageLimits = MessageLimits(),
    into table: FieldTable = FieldTable()
) -> Scanned<ResponseValues> {
    let scan = bytes.withUnsafeBytes {
        HeadScanner(limits: limits).scanResponse($0, requestMethod: method, into: table)
    }
    switch scan {
    case .incomplete: return .incomplete
    case .refused(let refusal): return .refused(refusal)
    case .head(let head):
        return .head(
            ResponseValues(
                head: head, statusLine: latin1(bytes[head.statusLine]), fields: tableValues(table, bytes)))
    }
}

func scanResponse(_ text: String, to method: HTTPWire.Method = .get) -> Scanned<ResponseValues> {
    scanResponse(bytes(text), to: method)
}

/// What came of feeding a body: everything that was accepted, its content, the trailer fields (those that are left out
/// in brackets), and the last outcome.
struct BodyResult: Equatable {
    var accepted: [UInt8]
    var content: [UInt8]
    var trailers: [String]
    var outcome: BodyScanner.Outcome

    init(
        accepted: [UInt8] = [], content: [UInt8] = [], trailers: [String] = [],
        outcome: BodyScanner.Outcome = .more
    ) {
        self.accepted = accepted
        self.content = content
        self.trailers = trailers
        self.outcome = outcome
    }

    /// The body as a proxy writes it: framed anew where it came in chunks.
    func passedOn(_ framing: BodyFraming) -> [UInt8] {
        guard framing == .chunked else { return content }
        let chunk = content.isEmpty ? [] : bytes(String(content.count, radix: 16) + "\r\n") + content + bytes("\r\n")
        guard outcome == .complete else { return chunk }
        let kept = trailers.filter { !$0.hasPrefix("(") }.map { $0 + "\r\n" }.joined()
        return chunk + bytes("0\r\n" + kept + "\r\n")
    }
}

/// Feeds `pieces` as a proxy does, keeping what was not accepted and offering it again.
func feedBody(
    _ framing: BodyFraming, _ pieces: [ArraySlice<UInt8>], from sender: BodyScanner.Sender = .client,
    limits: MessageLimits = MessageLimits()
) -> BodyResult {
    var scanner = BodyScanner(framing, from: sender, limits: limits)
    let table = FieldTable()
    var result = BodyResult()
    var pending: [UInt8] = []
    for piece in pieces {
        pending += piece
        let offered = pending
        var runs: [Range<Int>] = []
        let step = offered.withUnsafeBytes { buffer in
            let step = scanner.scan(buffer, content: { runs.append($0) })
            table.readTrailers(step.trailers, in: buffer)
            return step
        }
        #expect(runs.allSatisfy { !$0.isEmpty && $0.upperBound <= step.accepted }, "an empty range, or one beyond")
        #expect(zip(runs, runs.dropFirst()).allSatisfy { $0.upperBound < $1.lowerBound }, "ranges that are not joined")
        for run in runs { result.content += offered[run] }
        result.trailers += tableValues(table, offered).map { field in
            let line = "\(field.name): \(field.text)"
            return field.isRemoved ? "(\(line))" : line
        }
        result.accepted += offered[..<step.accepted]
        result.outcome = step.outcome
        pending.removeFirst(step.accepted)
        if step.outcome != .more { break }
    }
    return result
}

func feedBody(
    _ framing: BodyFraming, _ text: String, from sender: BodyScanner.Sender = .client,
    limits: MessageLimits = MessageLimits()
) -> BodyResult {
    feedBody(framing, [bytes(text)[...]], from: sender, limits: limits)
}
