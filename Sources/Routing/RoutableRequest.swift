/// What a rule may ask of a request. The slices must stay valid while a match runs, and are not kept beyond it.
package protocol RoutableRequest {
    /// The host that the request names, a port included, as it was sent. Empty where there is none.
    var host: UnsafeRawBufferPointer { get }
    /// The path as it was sent, percent-encoding and all, without the query.
    var path: UnsafeRawBufferPointer { get }
    /// What follows the first `?` of the target, as it was sent; nil where there is no `?`.
    var query: UnsafeRawBufferPointer? { get }
    /// As it was sent: methods are case-sensitive (RFC 9110, section 9.1).
    var method: UnsafeRawBufferPointer { get }

    /// The address of the other end of the connection, whatever fields of the request say; nil where it has none (a
    /// Unix socket). An IPv4 address that was mapped into IPv6 is one of IPv4.
    var clientAddress: AddressRange.Bits? { get }

    /// Whether `isWanted` holds for the value of any field of this name. Values come without the white space around
    /// them, in the order of the fields. Must not allocate.
    ///
    /// - Parameter lowercasedName: compared without regard to case.
    func hasField(named lowercasedName: UnsafeRawBufferPointer, where isWanted: (UnsafeRawBufferPointer) -> Bool)
        -> Bool
}
