import Affinity
import HTTP2Wire
package import Logging
import Synchronization

/// Logs clients that flood HTTP/2 connections: each client and kind once a minute, and no more than a number of lines a
/// minute in all, because who floods may have many addresses. Shared by the event loops of a replica.
package final class FloodLog: Sendable {
    /// Lines in all each minute.
    static let linesMax = 20

    private let logger: Logger
    private let state = Mutex(State())

    private struct Key: Hashable {
        let client: String
        let kind: HTTP2Flood
    }

    private struct State {
        var pace = LogPace<Key>()
        /// When the minute began that is counted.
        var minute = Instant.distantPast
        /// Those of that minute.
        var lines = 0
        /// Floods since the last line.
        var unlogged = 0

        /// Nil if the flood is not logged; otherwise how many were not logged since the last line.
        mutating func happened(_ key: Key, now: Instant) -> Int? {
            if now.milliseconds(since: minute) >= LogPace<Key>.intervalMilliseconds { (minute, lines) = (now, 0) }
            guard lines < FloodLog.linesMax, pace.happened(key, now: now) != nil else {
                unlogged += 1
                return nil
            }
            lines += 1
            defer { unlogged = 0 }
            return unlogged
        }
    }

    package init(_ logger: Logger) {
        self.logger = logger
    }

    /// - Parameter client: its address, without a port.
    func flooded(_ kind: HTTP2Flood, client: String, entryPoint: String, now: Instant) {
        let key = Key(client: client, kind: kind)
        guard let unlogged = state.withLock({ $0.happened(key, now: now) }) else { return }
        var metadata: Logger.Metadata = [
            "client": "\(client)", "entryPoint": "\(entryPoint)", "kind": "\(kind.rawValue)",
        ]
        if unlogged > 0 { metadata["unlogged"] = "\(unlogged)" }
        logger.warning("A client flooded its HTTP/2 connection, which was closed.", metadata: metadata)
    }
}
