/// The state of one request's decision, kept by the exchange while the store is asked or a backend tried.
package struct Decision: Sendable {
    package internal(set) var fingerprint: Fingerprint
    /// The hint that came with the request, authentic and valid.
    package let hint: Hint?
    /// The session is given our cookie with this response: nobody can know it yet.
    package let isNew: Bool
    /// Where the session is placed if nobody knows it: at the backend of another session of the same client, or where
    /// the client says. It overrides nothing that is known.
    package internal(set) var proposal: BackendHash?

    /// When the first question was asked since the last backend was tried.
    var firstSentAt: Instant?
    /// Questions asked for this request.
    var operations = 0
    /// Backends that could not be reached.
    var failures = 0
    /// The binding proposed to the store is a placement of our own.
    var isPlacement = false

    package init(
        fingerprint: Fingerprint, hint: Hint? = nil, isNew: Bool = false, proposal: BackendHash? = nil
    ) {
        self.fingerprint = fingerprint
        self.hint = hint
        self.isNew = isNew
        self.proposal = proposal
    }
}

/// What to do next for a request.
package enum Step: Hashable, Sendable {
    case forward(Route)
    /// Ask the store, then tell `storeAnswered`.
    case send(StoreOperation)
    case refuse(Refusal)
}

/// Why a request cannot be routed.
package enum Refusal: Hashable, Sendable {
    /// No backend of the service may take this request: 503.
    case noBackend
    /// The session's own backend may not, and the session is to go to no other: 503.
    case backendUnavailable
}

/// Where a request goes.
package struct Route: Hashable, Sendable {
    /// The backend's place in the membership.
    package let backend: Int
    /// The session's binding: what a hint in the response says. Of a detour the backend is another.
    package let binding: Binding
    package let provenance: Provenance
    /// To be asked beside the forwarding, without waiting; the answer goes to `storeAnsweredInBackground`.
    package let touch: StoreOperation?
    /// When the session began, in seconds since 1970, where it ends by age and that is known.
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
