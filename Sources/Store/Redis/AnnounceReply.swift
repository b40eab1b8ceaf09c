/// What became of an announcement.
package enum AnnounceReply: Equatable, Sendable {
    /// It was published.
    case done
    /// The server answered with an error. Nothing was published.
    case refused
    /// The connection was lost before the answer. It may have been published.
    case lost
}
