import Synchronization

/// How many checks of a backend ended in which way. Counted by one event loop, read by any thread.
package final class CheckCounts: Sendable {
    /// What a check came to, in few enough words for a metric.
    package enum Outcome: String, CaseIterable, Sendable {
        case good
        /// The status is not among those that count as healthy.
        case status
        case timeout
        /// No connection could be made, or it ended too early.
        case connection
        /// Not HTTP/1.1, or a circle of redirects.
        case response

        package init(_ reason: FailingReason?) {
            self =
                switch reason {
                case nil: .good
                case .status: .status
                case .timedOut: .timeout
                case .connectionRefused, .connectTimedOut, .connectFailed, .closed, .container, .unknown: .connection
                case .malformed, .redirects: .response
                }
        }
    }

    private let good = Atomic<UInt64>(0)
    private let status = Atomic<UInt64>(0)
    private let timeout = Atomic<UInt64>(0)
    private let connection = Atomic<UInt64>(0)
    private let response = Atomic<UInt64>(0)

    package init() {}

    package subscript(_ outcome: Outcome) -> UInt64 {
        switch outcome {
        case .good: good.load(ordering: .relaxed)
        case .status: status.load(ordering: .relaxed)
        case .timeout: timeout.load(ordering: .relaxed)
        case .connection: connection.load(ordering: .relaxed)
        case .response: response.load(ordering: .relaxed)
        }
    }

    package func count(_ outcome: Outcome) {
        switch outcome {
        case .good: good.wrappingAdd(1, ordering: .relaxed)
        case .status: status.wrappingAdd(1, ordering: .relaxed)
        case .timeout: timeout.wrappingAdd(1, ordering: .relaxed)
        case .connection: connection.wrappingAdd(1, ordering: .relaxed)
        case .response: response.wrappingAdd(1, ordering: .relaxed)
        }
    }
}
