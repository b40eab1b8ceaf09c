/// A write of an event loop that binds a session, for the time after its result, or after it was given up without one.
struct OwnWrite: Sendable {
    let fingerprint: Fingerprint
    /// What the store then holds as far as is known: what was bound, or of a rebind without a result, what it was to
    /// move off.
    let binding: Binding
    let createdAtSeconds: UInt32?
    /// When its result arrived, or when it was given up.
    let at: Instant
}
