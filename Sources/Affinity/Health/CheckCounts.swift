import Synchronization

/// How many checks of a backend ended in which way, and how the last one did. Written by one event loop, read by any
/// thread.
package final class CheckCounts: Sendable {
    /// What a check came to, in few enough words for a metric.
    package enum Outcome: String, CaseIterable, Sendable {
        case good
        /// The status is not among those that count as healthy, or the server says that it does not serve.
        case status
        case timeout
        /// No connection could be made, or it ended too early.
        case connection
        /// Not valid HTTP, or a circle of redirects.
        case response

        package init(_ reason: FailingReason?) {
            self =
                switch reason {
                case nil: .good
                case .status, .grpcStatus, .notServing: .status
                case .timedOut: .timeout
                case .connectionRefused, .connectTimedOut, .connectFailed, .closed, .container, .unknown,
                    .certificateExpired, .certificateOfUnknownAuthority, .certificateOfOtherName, .certificateRefused,
                    .notTLS, .handshakeFailed:
                    .connection
                case .malformed, .redirects, .notHTTP2: .response
                }
        }
    }

    /// How a check ended, and when.
    package struct Last: Equatable, Sendable {
        /// Nil: the backend was healthy.
        package let failure: FailingReason?
        package let endedAt: Instant

        package init(failure: FailingReason?, endedAt: Instant) {
            self.failure = failure
            self.endedAt = endedAt
        }
    }

    /// The bits for the result, below those for the time: 0 means none so far, 1 a good one.
    private static let resultBits: Int64 = 18

    /// Milliseconds and result in one value, so that no reader sees those of two checks.
    private let lastCheck = Atomic<Int64>(0)
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

    /// To the millisecond. Nil if no check has ended yet.
    package var last: Last? {
        let value = lastCheck.load(ordering: .relaxed)
        let result = UInt32(truncatingIfNeeded: value) & ((1 << UInt32(Self.resultBits)) - 1)
        guard result > 0 else { return nil }
        return Last(
            failure: result == 1 ? nil : FailingReason(code: result - 2) ?? .unknown,
            endedAt: Instant(nanoseconds: (value >> Self.resultBits) * 1_000_000))
    }

    package func count(_ failure: FailingReason?, now: Instant) {
        let result = failure.map { Int64($0.code) + 2 } ?? 1
        let milliseconds = now.nanoseconds / 1_000_000
        lastCheck.store((milliseconds << Self.resultBits) | result, ordering: .relaxed)
        count(Outcome(failure))
    }

    private func count(_ outcome: Outcome) {
        switch outcome {
        case .good: good.wrappingAdd(1, ordering: .relaxed)
        case .status: status.wrappingAdd(1, ordering: .relaxed)
        case .timeout: timeout.wrappingAdd(1, ordering: .relaxed)
        case .connection: connection.wrappingAdd(1, ordering: .relaxed)
        case .response: response.wrappingAdd(1, ordering: .relaxed)
        }
    }
}
