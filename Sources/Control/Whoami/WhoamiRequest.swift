import Configuration

/// What a demonstration backend is asked to do, read from the target of the request.
enum WhoamiRequest: Equatable {
    /// Say who answers and what was asked.
    case introduce
    /// `/health`
    case health
    /// `/inflight`: say how many requests are under way, those of this kind left out.
    case inFlight
    /// `/slow?ms=500`: introduce, so much later.
    case slow(milliseconds: Int)
    /// `/stream?bytes=N&chunk=M&ms=gap`: so many bytes without announced length, in chunks, with a pause between two.
    case stream(byteCount: Int, chunk: Int, gapMilliseconds: Int)
    /// `/bytes?n=N`: so many bytes, with their length.
    case bytes(count: Int)

    static let byteCountMax = 1 << 30
    static let chunkMax = 1 << 20
    static let millisecondsMax = 60_000

    /// What is wrong with the target, for its author.
    struct Refusal: Error, Equatable {
        let message: String
    }

    static func read(_ target: String) throws(Refusal) -> WhoamiRequest {
        let parts = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        let parameters = QueryParameters(parts.count > 1 ? parts[1] : "")
        switch parts[0] {
        case "/health": return .health
        case "/inflight": return .inFlight
        case "/slow": return .slow(milliseconds: try parameters.number("ms", upTo: millisecondsMax, default: 500))
        case "/bytes": return .bytes(count: try parameters.number("n", upTo: byteCountMax, default: 1024))
        case "/stream":
            return .stream(
                byteCount: try parameters.number("bytes", upTo: byteCountMax, default: 1024),
                chunk: max(try parameters.number("chunk", upTo: chunkMax, default: 1024), 1),
                gapMilliseconds: try parameters.number("ms", upTo: millisecondsMax, default: 0))
        default: return .introduce
        }
    }
}

/// The parameters of a query as they stand, without decoding.
struct QueryParameters {
    private let query: Substring

    init(_ query: Substring) {
        self.query = query
    }

    /// The value of the first parameter of this name.
    subscript(_ name: String) -> Substring? {
        for parameter in query.split(separator: "&") where parameter.hasPrefix(name + "=") {
            return parameter.dropFirst(name.count + 1)
        }
        return nil
    }

    func number(_ name: String, upTo limit: Int, default: Int) throws(WhoamiRequest.Refusal) -> Int {
        guard let text = self[name] else { return `default` }
        guard let number = Int(decimal: text), number <= limit else {
            throw WhoamiRequest.Refusal(message: "\(name) must be a number from 0 to \(limit)")
        }
        return number
    }
}
