/// A valid request head, as offsets into the scanned bytes. Its fields are in the `FieldTable`.
package struct RequestHead: Sendable, Equatable {
    package var method: Method
    /// The method's bytes. The request line begins here: an empty line before it is not forwarded.
    package var methodRange: Range<Int>
    /// The target as sent: origin-form, absolute-form, or `*` (with OPTIONS only).
    package var target: Range<Int>
    /// The path, beginning with `/`; or `*`; or empty, which absolute-form allows. An empty path means `*` if
    /// `isAsterisk`, and `/` otherwise.
    package var path: Range<Int>
    /// The part after the first `?`, without the `?`. Nil without a `?`.
    package var query: Range<Int>?
    /// Whether OPTIONS applies to the server as a whole: its target is `*`, or an absolute-form target without path and
    /// query, which is forwarded as `*` (RFC 9112 §3.2.4).
    package var isAsterisk: Bool
    /// Host and optional port of an absolute-form target. The Host field is then ignored (RFC 9112 §3.2.2) and marked
    /// as removed in the table.
    package var authority: Range<Int>?
    /// The host that the request is for: `authority`, otherwise the value of the Host field. A valid `host[:port]`,
    /// without the colon of an empty port. Nil only in HTTP/1.0.
    package var host: Range<Int>?
    package var version: HTTPVersion
    /// Where the first field line begins, just after the request line's CRLF.
    package var fieldsStart: Int
    /// All bytes of the head from offset 0, including a skipped empty line and the final one.
    package var length: Int
    /// Never `.untilClose`.
    package var framing: BodyFraming
    /// Whether the client wants to keep the connection (RFC 9112 §9.3).
    package var isPersistent: Bool
    /// Whether the client waits for `100 Continue`. Never in HTTP/1.0.
    package var expectsContinue: Bool
    /// Whether the client offers a protocol that requires a tunnel: one in an Upgrade field, with `upgrade` in
    /// Connection, that is not a version of HTTP or TLS. Never in HTTP/1.0. A client that offers only those versions
    /// continues with HTTP/1.1 if the offer is ignored (RFC 9110 §7.8).
    package var wantsUpgrade: Bool
}

/// The result of a scan of request bytes.
package enum RequestScan: Equatable, Sendable {
    /// Everything so far is well-formed, but the end has not arrived.
    case incomplete
    case head(RequestHead)
    /// Final: no further bytes can make it acceptable.
    case refused(HeadRefusal)
}
