/// A request head that follows every rule of this module, as offsets into the scanned bytes; its fields are in the
/// `FieldTable`.
package struct RequestHead: Sendable, Equatable {
    package var method: Method
    /// The method's bytes. The request line begins here: an empty line before it is not part of what is forwarded.
    package var methodRange: Range<Int>
    /// The target as it was sent: origin-form, absolute-form, or `*` (with OPTIONS only).
    package var target: Range<Int>
    /// The path, beginning with `/`; or `*`; or empty, which absolute-form allows and which means `/`
    /// (for OPTIONS without a query: `*`, RFC 9112 §3.2.4).
    package var path: Range<Int>
    /// What follows the first `?`, which it does not include; nil where there is none.
    package var query: Range<Int>?
    /// Host and optional port of an absolute-form target; equal to `host` but for case where both are present.
    package var authority: Range<Int>?
    /// The value of the Host field: a valid `host[:port]`. Nil only in HTTP/1.0.
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
    /// Whether it offers another protocol: an Upgrade field, named in Connection; never in HTTP/1.0.
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
