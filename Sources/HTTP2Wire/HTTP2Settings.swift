/// What one side of an HTTP/2 connection allows the other.
package struct HTTP2Settings: Equatable, Sendable {
    package enum Role: Equatable, Sendable {
        case server
        case client
    }

    package var role: Role
    /// Streams that the peer may have open at once. Without meaning for a client: servers open none.
    package var streams = 100
    /// Bytes of content of one stream that the peer may send before they are consumed.
    package var streamWindow = 64 * 1024
    /// The same for all streams together.
    package var connectionWindow = 256 * 1024
    /// Bytes of a head or of trailers, in the form of HTTP/1.1. A block of fields that decodes to more than eight times
    /// that ends the connection.
    package var headBytes = 80 * 1024
    /// Frames without use that are tolerated at once: resets, sent and received, settings, pings, priorities, empty
    /// content. Frames of unknown types are passed over. Two window updates and one ping for each frame of content
    /// that was sent are of use.
    package var glitches = 1000
    /// How many more of them are tolerated each second.
    package var glitchesPerSecond = 33

    package init(_ role: Role) {
        self.role = role
    }
}
