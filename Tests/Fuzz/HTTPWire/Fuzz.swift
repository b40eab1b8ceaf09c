import HTTPWire

/// The first byte chooses what the rest is and where it is cut; the rest is the message.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    guard let start, count > 0 else { return 0 }
    let choice = start[0]
    let message = Array(UnsafeBufferPointer(start: start + 1, count: count - 1))
    var fuzzer = Fuzzer(cut: Int(choice &>> 2))
    switch choice & 3 {
    case 0, 1: fuzzer.request(message)
    case 2: fuzzer.response(message, to: .get)
    default: fuzzer.body(.chunked, message[...], from: choice & 4 == 0 ? .client : .backend)
    }
    return 0
}

/// The promises of the module, as checks that stop the process when broken.
struct Fuzzer {
    /// Where to cut a message in two, modulo its length.
    let cut: Int
    /// Small, so that short inputs reach them.
    let limits: MessageLimits = {
        var limits = MessageLimits()
        limits.requestLine = 300
        limits.field = 400
        limits.fieldSection = 900
        limits.fieldCount = 12
        limits.chunkExtension = 30
        return limits
    }()
    let table = FieldTable(capacity: 12)
    let again = FieldTable(capacity: 12)

    init(cut: Int) {
        self.cut = cut
    }

    mutating func request(_ message: [UInt8]) {
        let whole = scan(message[...]) { scanner, bytes in Verdict(scanner.scanRequest(bytes, into: again)) }
        checkPrefixes(of: message, whole: whole) { scanner, bytes in Verdict(scanner.scanRequest(bytes, into: again)) }
        let scanned = scan(message[...]) { scanner, bytes in scanner.scanRequest(bytes, into: table) }
        guard case .head(let head) = scanned else { return }
        // A target in absolute form says whom the request is for; the field that does is ours to write.
        let line = head.methodRange.lowerBound..<head.fieldsStart
        let host: [UInt8] = head.authority.map { Array("Host: ".utf8) + message[$0] + [0x0D, 0x0A] } ?? []
        let edited = edited(message, line: line, before: host)
        let second = scan(edited[...]) { scanner, bytes in scanner.scanRequest(bytes, into: again) }
        guard case .head(let secondHead) = second else { fatalError("the edited head is not accepted: \(second)") }
        check(secondHead.framing == head.framing, "editing changed the framing")
        check(secondHead.method == head.method && secondHead.length == edited.count, "editing changed the head")
        check(again.first(.connection) == nil && again.first(.te) == nil, "a hop-by-hop field stayed")
        let sameHost = secondHead.host.map { Array(edited[$0]) } == head.host.map { Array(message[$0]) }
        check(sameHost, "editing changed whom the request is for")
        body(head.framing, message[head.length...], from: .client)
    }

    mutating func response(_ message: [UInt8], to method: HTTPWire.Method) {
        let whole = scan(message[...]) { scanner, bytes in
            Verdict(scanner.scanResponse(bytes, requestMethod: method, into: again))
        }
        checkPrefixes(of: message, whole: whole) { scanner, bytes in
            Verdict(scanner.scanResponse(bytes, requestMethod: method, into: again))
        }
        let scanned = scan(message[...]) { $0.scanResponse($1, requestMethod: method, into: table) }
        guard case .head(let head) = scanned else { return }
        let edited = edited(message, line: 0..<head.fieldsStart, before: [])
        let second = scan(edited[...]) { $0.scanResponse($1, requestMethod: method, into: again) }
        guard case .head(let secondHead) = second else { fatalError("the edited head is not accepted: \(second)") }
        check(secondHead.framing == head.framing && secondHead.status == head.status, "editing changed the head")
        body(head.framing, message[head.length...], from: .backend)
    }

    /// A body gives the same in one piece, in two, and byte by byte; and what is passed on of it is read as the same
    /// content and the same trailers.
    func body(_ framing: BodyFraming, _ bytes: ArraySlice<UInt8>, from sender: BodyScanner.Sender) {
        let whole = feed(framing, [bytes], from: sender)
        let middle = bytes.startIndex + (bytes.isEmpty ? 0 : cut % bytes.count)
        check(feed(framing, [bytes[..<middle], bytes[middle...]], from: sender) == whole, "a cut changed the body")
        check(
            feed(framing, bytes.indices.map { bytes[$0...$0] }, from: sender) == whole, "single bytes changed the body")
        check(Array(bytes.prefix(whole.accepted.count)) == whole.accepted, "other bytes were accepted than given")
        guard framing == .chunked, whole.outcome == .complete else { return }
        let chunks = whole.chunks
        let again = feed(framing, [chunks[...]], from: .client)
        check(again.outcome == .complete && again.accepted == chunks, "what is passed on is not whole")
        check(again.content == whole.content && again.trailers == whole.trailers, "what is passed on is read otherwise")
    }

    private func checkPrefixes(
        of message: [UInt8], whole: Verdict, scan one: (HeadScanner, UnsafeRawBufferPointer) -> Verdict
    ) {
        var end = HeadEnd(limits: limits)
        var wasScanned = false
        for length in stride(from: 0, through: message.count, by: message.count > 600 ? 7 : 1) {
            let prefix = message[..<length]
            let verdict = scan(prefix, one)
            let isDue = exactly(prefix) { end.find(in: $0) }
            switch verdict {
            case .incomplete:
                if case .head(let headLength) = whole { check(length < headLength, "a whole head is incomplete") }
            case .refused, .head:
                check(verdict == whole, "a prefix gave \(verdict), the whole \(whole)")
            }
            // A head that came whole must be noticed at once; a refusal may wait, but not for ever.
            if case .head = verdict { check(isDue || wasScanned, "the end of a head went unnoticed") }
            wasScanned = wasScanned || (isDue && verdict != .incomplete)
        }
    }

    private mutating func edited(_ message: [UInt8], line: Range<Int>, before lines: [UInt8]) -> [UInt8] {
        message.withUnsafeBytes { table.removeHopByHop(in: $0) }
        var edited = Array(message[line]) + lines
        table.forEachKeptRun { edited += message[$0] }
        return edited + [0x0D, 0x0A]
    }

    private func scan<Answer>(
        _ bytes: ArraySlice<UInt8>, _ work: (HeadScanner, UnsafeRawBufferPointer) -> Answer
    ) -> Answer {
        let scanner = HeadScanner(limits: limits)
        return exactly(bytes) { work(scanner, $0) }
    }

    private func feed(
        _ framing: BodyFraming, _ pieces: [ArraySlice<UInt8>], from sender: BodyScanner.Sender
    ) -> Fed {
        var scanner = BodyScanner(framing, from: sender, limits: limits)
        var fed = Fed()
        var pending: [UInt8] = []
        // The empty piece at the end asks once more, and asks at all where there is no body.
        for piece in pieces + [[]] {
            pending += piece
            let offered = pending
            let step = exactly(offered[...]) { bytes in
                let step = scanner.scan(bytes, content: { fed.content += offered[$0] })
                again.readTrailers(step.trailers, in: bytes)
                again.forEachKeptRun { fed.trailers += offered[$0] }
                return step
            }
            check(step.accepted <= offered.count, "more was accepted than given")
            fed.accepted += offered[..<step.accepted]
            fed.outcome = step.outcome
            pending.removeFirst(step.accepted)
            check(pending.count <= limits.fieldSection + 402, "more is held than the limits allow")
            if step.outcome != .more { break }
        }
        return fed
    }

    /// Lends a copy in memory of exactly its size, so that the sanitizer sees each byte read beyond it.
    private func exactly<Answer>(
        _ bytes: ArraySlice<UInt8>, _ work: (UnsafeRawBufferPointer) -> Answer
    ) -> Answer {
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
        defer { copy.deallocate() }
        copy.copyBytes(from: bytes)
        return work(UnsafeRawBufferPointer(copy))
    }

    private func check(_ condition: Bool, _ promise: @autoclosure () -> String) {
        if !condition { fatalError(promise()) }
    }
}

/// What came of a body.
struct Fed: Equatable {
    var accepted: [UInt8] = []
    var content: [UInt8] = []
    /// The field lines that may be passed on.
    var trailers: [UInt8] = []
    var outcome = BodyScanner.Outcome.more

    /// The body as a proxy writes it for a receiver of chunks.
    var chunks: [UInt8] {
        let size = Array("\(String(content.count, radix: 16))\r\n".utf8)
        let chunk = content.isEmpty ? [] : size + content + [0x0D, 0x0A]
        return chunk + Array("0\r\n".utf8) + trailers + [0x0D, 0x0A]
    }
}

/// A scan's answer, requests and responses alike.
enum Verdict: Equatable {
    case incomplete
    case head(length: Int)
    case refused(HeadRefusal)

    init(_ scan: RequestScan) {
        switch scan {
        case .incomplete: self = .incomplete
        case .head(let head): self = .head(length: head.length)
        case .refused(let refusal): self = .refused(refusal)
        }
    }

    init(_ scan: ResponseScan) {
        switch scan {
        case .incomplete: self = .incomplete
        case .head(let head): self = .head(length: head.length)
        case .refused(let refusal): self = .refused(refusal)
        }
    }
}
