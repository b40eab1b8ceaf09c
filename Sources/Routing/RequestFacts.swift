/// What rules ask of nearly every request, read once for all of them.
struct RequestFacts {
    /// Without port, as ``HostName`` has it.
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
