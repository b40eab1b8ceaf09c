/// A session key that a backend has issued, on its way to being known: bound to the backend that issued it, unless it
/// is bound already. Kept by the exchange while the store is asked, like a ``Decision``.
package struct Learning: Sendable {
    package let fingerprint: Fingerprint
    /// The one that issued the key.
    package let backend: BackendHash

    /// When the first question was asked.
    var asking: Instant?
    var questions = 0

    package init(fingerprint: Fingerprint, backend: BackendHash) {
        self.fingerprint = fingerprint
        self.backend = backend
    }
}

/// What to do next for a session key that a backend has issued.
package enum LearningStep: Hashable, Sendable {
    /// Nothing more: it is known, or will be told to the store later.
    case done
    /// Ask the store, then tell `storeAnswered`.
    case ask(StoreQuestion)
}
