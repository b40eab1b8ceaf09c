/// The properties that rules need of nearly every request, extracted once for all rules.
struct RequestFacts {
    /// Without the port, in the form that ``HostName`` produces.
    let host: UnsafeRawBufferPointer
    let path: UnsafeRawBufferPointer
    let query: UnsafeRawBufferPointer?
    let method: UnsafeRawBufferPointer
    let clientAddress: AddressRange.Bits?

    init(_ request: some RoutableRequest) {
        host = HostName.canonical(request.host)
        path = request.path
        query = request.query
        method = request.method
        clientAddress = request.clientAddress
    }
}
