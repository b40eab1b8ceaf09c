/// How a question was put to the store, by which its answer is judged.
package struct Asking: Hashable, Sendable {
    /// When it was handed to the store. Lifetimes count from here.
    package let at: Instant
    /// Whether it went to the server whose changes the coherence channel hears. What another server says may be
    /// superseded without a word.
    package let isOfChannel: Bool

    package init(at: Instant, isOfChannel: Bool = true) {
        self.at = at
        self.isOfChannel = isOfChannel
    }
}
