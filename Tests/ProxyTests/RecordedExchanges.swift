import Synchronization

@testable import Proxy

/// Keeps what it is told.
final class RecordedExchanges: ExchangeLog {
    private let records = Mutex<[ExchangeLogEntry]>([])

    func append(_ record: ExchangeLogEntry) { records.withLock { $0.append(record) } }

    var all: [ExchangeLogEntry] { records.withLock { $0 } }
}
