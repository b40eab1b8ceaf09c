/// A valid response head, as offsets into the scanned bytes. Its fields are in the `FieldTable`.
package struct ResponseHead: Sendable, Equatable {
    package var version: HTTPVersion
    /// 100 to 599.
    package var status: Int
    /// The status line without its CRLF. Begins at 0.
    package var statusLine: Range<Int>
    /// Where the first field line begins.
    package var fieldsStart: Int
    /// All bytes of the head, including the empty line.
    package var length: Int
    /// The request's method and the status take precedence: none for HEAD, 1xx, 204 and 304, whatever the fields say.
    package var framing: BodyFraming
    /// Whether the backend keeps the connection after this response, according to version and Connection. Never with
    /// `.untilClose`.
    package var isPersistent: Bool

    /// A 1xx that precedes another response to the same request. 101 is excluded.
    package var isInterim: Bool { status < 200 && status != 101 }
    /// 101: the connection switches to another protocol after the head.
    package var isSwitchingProtocols: Bool { status == 101 }
}

/// The result of a scan of response bytes.
package enum ResponseScan: Equatable, Sendable {
    case incomplete
    case head(ResponseHead)
    /// Final. The connection to the backend must be closed.
    case refused(HeadRefusal)
}
