/// What a peer flooded a connection with.
package enum HTTP2Flood: String, CaseIterable, Sendable {
    case emptyContent = "empty_data"
    /// Blocks of fields on streams that are closed.
    case heads = "headers"
    case priorities = "priority"
    case resets = "rst_stream"
    case settings
    case pings = "ping"
    case windowUpdates = "window_update"
    /// Its mistakes made us reset streams.
    case resetsSent = "resets_sent"
    /// One block of fields.
    case fields
    case otherFrames = "other"

    /// - Parameter kind: a type of frame (RFC 9113, section 6), or what the codec has for another flood.
    init(kind: Int32, resetsSent: Int32, fields: Int32) {
        switch kind {
        case 0x0: self = .emptyContent
        case 0x1: self = .heads
        case 0x2: self = .priorities
        case 0x3: self = .resets
        case 0x4: self = .settings
        case 0x6: self = .pings
        case 0x8: self = .windowUpdates
        case resetsSent: self = .resetsSent
        case fields: self = .fields
        default: self = .otherFrames
        }
    }
}
