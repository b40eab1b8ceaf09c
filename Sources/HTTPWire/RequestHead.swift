/// A request head that follows every rule of this module, as offsets into the scanned bytes; its fields are in the
/// `FieldTable`.
package struct RequestHead: Sendable, Equatable {
    package var method: Method
    /// The method's bytes. The request line begins here: an empty line before it is not part of what is forwarded.
    package var methodRange: Range<Int>
    /// The target as it was sent: origin-form, absolute-form, or `*` (with OPTIONS only).
    package var target: Range<Int>
    /// The path, beginning with `/`; or `*`; or empty, which absolute-form allows and which means `/`, or `*` where
    /// `isAsterisk`.
    package var path: Range<Int>
    /// What follows the first `?`, which it does not include; nil where there is none.
    package var query: Range<Int>?
    /// Whether OPTIONS asks about the server as a whole: by the target `*`, or by one in absolute-form without path and
    /// query, which goes on as `*` (RFC 9112 §3.2.4).
    package var isAsterisk: Bool
    /// Host and optional port of an absolute-form target. The Host field then counts for nothing (RFC 9112 §3.2.2), and
    /// is marked as removed in the table.
    package var authority: Range<Int>?
    /// Whom the request is for: `authority`, else the value of the Host field. A valid `host[:port]`, without the colon
    /// of an empty port. Nil only in HTTP/1.0.
    package var host: Range<Int>?
    package var version: HTTPVersion
    /// Where the first field line begins, just after the request line's CRLF.
    package var fieldsStart: Int
    /// All bytes of the head from offset 0, a skipped empty line and the final one included.
    package var length: Int
    /// Never `.untilClose`.
    package var framing: BodyFraming
    /// Whether the client wants the connection kept (RFC 9112 §9.3).
    package var isPersistent: Bool
    /// Whether it waits for `100 Continue`; never in HTTP/1.0.
    package var expectsContinue: Bool
    /// Whether it offers a protocol that only a tunnel serves: one in an Upgrade field, named in Connection, that is no
    /// version of HTTP or TLS. Never in HTTP/1.0. A client that offers only those goes on by HTTP/1.1 where the offer
    /// is ignored (RFC 9110 §7.8).
    package var wantsUpgrade: Bool
}

/// What a scan of request bytes found.
package enum RequestScan: Equatable, Sendable {
    /// Everything so far is well-formed and the end has not come.
    case incomplete
    case head(RequestHead)
    /// Final: no further byte makes it acceptable.
    case refused(HeadRefusal)
}
