import NIOHTTP1
import Synchronization

/// Counts the visits of each session in the memory of this process only: the count of a session that moves to another
/// backend starts again at one. Holds at most twice `generationSize` sessions; the ones not seen for the longest time
/// are forgotten first.
final class VisitCounter: Sendable {
    static let generationSize = 50_000

    private struct Counts {
        var young: [Int: Int] = [:]
        var old: [Int: Int] = [:]
    }

    private let counts = Mutex(Counts())

    init() {}

    /// How many sessions are remembered.
    var count: Int { counts.withLock { $0.young.count + $0.old.count } }

    /// Counts one visit, and returns the number so far. Nil if the request carries no session key.
    ///
    /// The key is the first of the header `X-Session-ID`, the parameter `sid` and the first cookie.
    func visit(_ head: HTTPRequestHead) -> Int? {
        Self.sessionKey(of: head).map { visit(sessionKey: $0) }
    }

    func visit(sessionKey: Substring) -> Int {
        var hasher = Hasher()
        hasher.combine(sessionKey)
        let session = hasher.finalize()
        return counts.withLock { counts in
            let visits = (counts.young[session] ?? counts.old[session] ?? 0) &+ 1
            if counts.young.count >= Self.generationSize { counts = Counts(old: counts.young) }
            counts.young[session] = visits
            return visits
        }
    }

    private static func sessionKey(of head: HTTPRequestHead) -> Substring? {
        if let value = head.headers.first(name: "X-Session-ID"), !value.isEmpty { return value[...] }
        if let start = head.uri.firstIndex(of: "?"),
            let value = QueryParameters(head.uri[head.uri.index(after: start)...])["sid"], !value.isEmpty
        {
            return value
        }
        guard let cookies = head.headers.first(name: "Cookie"), let first = cookies.split(separator: ";").first,
            let equals = first.firstIndex(of: "=")
        else { return nil }
        return first[first.index(after: equals)...]
    }
}
