package import Affinity

/// A test case for every store: operations in sequence, with their expected results. `all` is the list.
package struct StoreCase: Sendable, CustomStringConvertible {
    /// An operation and its expected result.
    struct Exchange: Sendable {
        let operation: StoreOperation
        let expected: Expectation
    }

    enum Expectation: Sendable {
        case written, absent, foreign, refused
        case record(Binding, Life, createdAtSeconds: UInt32?)
    }

    /// The remaining lifetime of a record, in milliseconds.
    enum Life: Sendable {
        /// Less the time that passes during the test.
        case about(Int64)
        case exactly(Int64)
    }

    enum Step: Sendable {
        /// All operations in one turn.
        case send([Exchange])
        case pass(milliseconds: Int64)
        /// Another client writes a foreign value.
        case foreign(Fingerprint, lifetimeMilliseconds: Int64)
    }

    package let description: String
    let steps: [Step]
    /// Whether the case depends on single milliseconds, and so needs a clock that the test controls.
    package let isExact: Bool
    package let hasForeignValues: Bool

    init(_ description: String, isExact: Bool = false, _ steps: [Step]) {
        self.description = description
        self.isExact = isExact
        self.steps = steps
        hasForeignValues = steps.contains { if case .foreign = $0 { true } else { false } }
    }
}

/// A store that can run the cases.
package protocol CaseStore {
    /// The milliseconds that may pass during the test: 0 if the test controls the clock.
    var slack: Int64 { get }
    /// Sends the operations in one turn. The results are in the same order.
    mutating func send(_ operations: [StoreOperation]) async throws -> [StoreResult]
    mutating func pass(milliseconds: Int64) async throws
    /// Writes a foreign value, for cases that need one.
    mutating func putForeign(_ fingerprint: Fingerprint, lifetimeMilliseconds: Int64) async throws
}

extension StoreCase {
    /// Runs the case on an empty store. Returns a line for each unexpected result.
    package func faults(of store: inout some CaseStore) async throws -> [String] {
        var faults: [String] = []
        for (number, step) in steps.enumerated() {
            switch step {
            case .pass(let milliseconds): try await store.pass(milliseconds: milliseconds)
            case .foreign(let fingerprint, let lifetimeMilliseconds):
                try await store.putForeign(fingerprint, lifetimeMilliseconds: lifetimeMilliseconds)
            case .send(let exchanges):
                let results = try await store.send(exchanges.map(\.operation))
                if results.count != exchanges.count { faults.append("step \(number): \(results.count) answers") }
                for (exchange, result) in zip(exchanges, results)
                where !exchange.expected.isMet(by: result, slack: store.slack) {
                    let (operation, expected) = (exchange.operation, exchange.expected)
                    faults.append("\(self), step \(number): \(operation) → \(result), not \(expected)")
                }
            }
        }
        return faults
    }
}

extension StoreCase.Expectation {
    fileprivate func isMet(by result: StoreResult, slack: Int64) -> Bool {
        switch (self, result) {
        case (.written, .written), (.absent, .absent), (.foreign, .foreign): true
        case (.refused, .unavailable(.refused)): true
        case (.record(let binding, let life, let createdAtSeconds), .record(let found)):
            found.binding == binding && found.createdAtSeconds == createdAtSeconds
                && life.allows(found.remainingMilliseconds, slack: slack)
        default: false
        }
    }
}

extension StoreCase.Life {
    fileprivate func allows(_ remainingMilliseconds: Int64, slack: Int64) -> Bool {
        switch self {
        case .about(let life): (life - slack...life).contains(remainingMilliseconds)
        case .exactly(let life): remainingMilliseconds == life
        }
    }
}

extension StoreCase.Step {
    static func send(_ operation: StoreOperation, _ expected: StoreCase.Expectation) -> Self {
        .send([StoreCase.Exchange(operation: operation, expected: expected)])
    }

    static func turn(_ exchanges: [(StoreOperation, StoreCase.Expectation)]) -> Self {
        .send(exchanges.map { StoreCase.Exchange(operation: $0.0, expected: $0.1) })
    }
}

extension StoreCase.Expectation {
    static func about(_ binding: Binding, _ life: Int64, createdAtSeconds: UInt32? = nil) -> Self {
        .record(binding, .about(life), createdAtSeconds: createdAtSeconds)
    }

    static func exactly(_ binding: Binding, _ life: Int64, createdAtSeconds: UInt32? = nil) -> Self {
        .record(binding, .exactly(life), createdAtSeconds: createdAtSeconds)
    }
}
