/// The properties of a request that rules can match. The slices must stay valid during a match, and are not kept after
/// it.
package protocol RoutableRequest {
    /// The host that the request names, including a port, as sent. Empty if there is none.
    var host: UnsafeRawBufferPointer { get }
    /// The path as sent, still percent-encoded, without the query.
    var path: UnsafeRawBufferPointer { get }
    /// The part of the target after the first `?`, as sent. Nil without a `?`.
    var query: UnsafeRawBufferPointer? { get }
    /// As sent: methods are case-sensitive (RFC 9110, section 9.1).
    var method: UnsafeRawBufferPointer { get }

    /// The peer address of the connection, whatever the request's fields say. Nil if it has none (a Unix socket). An
    /// IPv4-mapped IPv6 address is given as IPv4.
    var clientAddress: AddressRange.Bits? { get }

    /// Whether `isWanted` returns true for the value of any field of this name. Values are passed without the white
    /// space around them, in the order of the fields. Must not allocate.
    ///
    /// - Parameter lowercasedName: compared case-insensitively.
    func hasField(named lowercasedName: UnsafeRawBufferPointer, where isWanted: (UnsafeRawBufferPointer) -> Bool)
        -> Bool
}
