import Configuration

/// The action that a request's target asks of a demonstration backend.
enum WhoamiRequest: Equatable {
    /// Report the backend's name and the request.
    case introduce
    /// `/health`
    case health
    /// `/inflight`: report how many requests are under way, without those to `/inflight`.
    case inFlight
    /// `/slow?ms=500`: introduce, after this delay.
    case slow(milliseconds: Int)
    /// `/stream?bytes=N&chunk=M&ms=gap`: this many bytes without a declared length, in chunks, with a pause between
    /// them.
    case stream(byteCount: Int, chunk: Int, gapMilliseconds: Int)
    /// `/bytes?n=N`: this many bytes, with their length declared.
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

/// The parameters of a query, not decoded.
struct QueryParameters {
    private let query: Substring

    init(_ query: Substring) {
        self.query = query
    }

    /// The value of the first parameter with this name.
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
