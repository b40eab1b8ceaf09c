/// The answer to one `SCAN`.
package enum ScanReply: Equatable, Sendable {
    case page(ScanPage)
    /// The server answered with an error, for example because the user has no permission.
    case refused
    /// An array that is not what `SCAN` returns.
    case malformed
    /// The page exceeded the limits on replies. The connection ends with it.
    case tooLarge
    /// The connection was lost before the answer.
    case lost
}
