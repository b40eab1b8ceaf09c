import Affinity

/// A client with a session.
struct SimulatedClient {
    let index: Int
    /// Whether the client uses the affinity cookie; otherwise it uses a key of the application, without hints.
    let hasCookie: Bool
    var session: Fingerprint
    var hint: Hint?
    /// No response has delivered the cookie yet.
    var isNew: Bool
    /// The next cookie gets lost on its way.
    var losesCookie = false

    init(index: Int, hasCookie: Bool, session: Fingerprint) {
        self.index = index
        self.hasCookie = hasCookie
        self.session = session
        isNew = hasCookie
    }

    mutating func forget(_ session: Fingerprint) {
        self = SimulatedClient(index: index, hasCookie: hasCookie, session: session)
    }
}
