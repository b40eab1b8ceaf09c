/// The state of one request's decision. The exchange keeps it while the store is queried or a backend is tried.
package struct Decision: Sendable {
    package internal(set) var fingerprint: Fingerprint
    /// The request's hint, authentic and valid.
    package let hint: Hint?
    /// Whether the hint vouches for the record of its binding: that needs no touch.
    let hintVouches: Bool
    /// Whether this response gives the session its affinity cookie: no replica can know the session yet.
    package let isNew: Bool
    /// Where the session is placed if it is unknown: at the backend of another session of the same client, or where the
    /// client's cookie names one. It overrides nothing that is known.
    package internal(set) var proposal: BackendHash?

    /// When the first operation was sent since the last backend was tried.
    var firstSentAt: Instant?
    /// Operations sent for this request.
    var operations = 0
    /// How many backends could not be reached.
    var failures = 0
    /// Whether the binding proposed to the store is a new placement by this loop.
    var isPlacement = false

    package init(
        fingerprint: Fingerprint, hint: Hint? = nil, hintVouches: Bool = false, isNew: Bool = false,
        proposal: BackendHash? = nil
    ) {
        self.fingerprint = fingerprint
        self.hint = hint
        self.hintVouches = hintVouches
        self.isNew = isNew
        self.proposal = proposal
    }
}

/// What to do next for a request.
package enum Step: Hashable, Sendable {
    case forward(Route)
    /// Send the operation to the store, then pass the result to `storeAnswered`.
    case send(StoreOperation)
    case refuse(Refusal)
}

/// Why a request cannot be routed.
package enum Refusal: Hashable, Sendable {
    /// No backend of the service may take this request: 503.
    case noBackend
    /// The session's own backend may not take this request, and the session may not go to another: 503.
    case backendUnavailable
}

/// Where a request goes.
package struct Route: Hashable, Sendable {
    /// The backend's index in the membership.
    package let backend: Int
    /// The session's binding, as sealed into the response's hint. On a detour, `backend` may differ from it.
    package let binding: Binding
    package let provenance: Provenance
    /// A touch to send alongside the request, without waiting; its result goes to `storeAnsweredInBackground`.
    package let touch: StoreOperation?
    /// When the session began, in seconds since 1970, if sessions end by age and the time is known.
    package let createdAtSeconds: UInt32?

    package init(
        backend: Int, binding: Binding, provenance: Provenance, touch: StoreOperation? = nil,
        createdAtSeconds: UInt32? = nil
    ) {
        self.backend = backend
        self.binding = binding
        self.provenance = provenance
        self.touch = touch
        self.createdAtSeconds = createdAtSeconds
    }
}
