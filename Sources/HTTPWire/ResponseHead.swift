/// A response head that follows every rule of this module, as offsets into the scanned bytes; its fields are in the
/// `FieldTable`.
package struct ResponseHead: Sendable, Equatable {
    package var version: HTTPVersion
    /// 100 to 599.
    package var status: Int
    /// The status line without its CRLF. Begins at 0.
    package var statusLine: Range<Int>
    /// Where the first field line begins.
    package var fieldsStart: Int
    /// All bytes of the head, the empty line included.
    package var length: Int
    /// Decided by the request's method and the status first: none for HEAD, 1xx, 204 and 304, whatever the fields say.
    package var framing: BodyFraming
    /// Whether the backend keeps the connection after this response: what version and Connection say, and never after
    /// `.untilClose`.
    package var isPersistent: Bool

    /// A 1xx that another response to the same request follows; 101 is not one.
    package var isInterim: Bool { status < 200 && status != 101 }
    /// 101: what follows on the connection is another protocol.
    package var isSwitchingProtocols: Bool { status == 101 }
}

/// What a scan of response bytes found.
package enum ResponseScan: Equatable, Sendable {
    case incomplete
    case head(ResponseHead)
    /// Final; the backend's connection must be closed.
    case refused(HeadRefusal)
}
