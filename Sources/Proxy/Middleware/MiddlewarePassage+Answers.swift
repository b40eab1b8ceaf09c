import HTTPWire
import Routing

/// What middlewares that may answer by themselves make of a request.
extension MiddlewarePassage {
    // MARK: redirectScheme

    /// Nil where the request came by the scheme that it is to come by.
    func answer(
        of redirect: SchemeRedirect, _ head: RequestHead, in bytes: UnsafeRawBufferPointer, fields: FieldTable,
        client: ClientIdentity?
    ) -> OwnAnswer? {
        guard scheme(fields, in: bytes, client) != redirect.scheme else { return nil }
        // HTTP/1.0 without Host: there is no telling where to.
        guard let host = head.host else { return OwnAnswer(.badRequest) }
        let location = withPath(head, in: bytes) { path in
            redirect.location(
                host: UnsafeRawBufferPointer(rebasing: bytes[host]), path: path,
                query: head.query.map { UnsafeRawBufferPointer(rebasing: bytes[$0]) })
        }
        return .redirect(to: location, status: redirect.status(for: head.method))
    }

    /// What a middleware or a trusted peer says it was, else that of the connection.
    private func scheme(
        _ fields: FieldTable, in bytes: UnsafeRawBufferPointer, _ client: ClientIdentity?
    ) -> SchemeRedirect.Scheme {
        let isKnown = client?.isTrusted ?? false || request.drops("x-forwarded-proto")
        guard isKnown, let value = value(of: "x-forwarded-proto", fields, in: bytes) else { return .http }
        return SchemeRedirect.Scheme(forwarded: value) ?? .http
    }

    // MARK: ipAllowList

    /// Nil where the client may ask.
    func answer(
        of list: IPAllowList, in bytes: UnsafeRawBufferPointer, fields: FieldTable, client: ClientIdentity?
    ) -> OwnAnswer? {
        if let address = address(list.depth, fields, in: bytes, client),
            list.ranges.contains(where: { $0.contains(address) })
        {
            return nil
        }
        return OwnAnswer(status: list.refusalStatus, label: "address_refused")
    }

    private func address(
        _ depth: Int?, _ fields: FieldTable, in bytes: UnsafeRawBufferPointer, _ client: ClientIdentity?
    ) -> AddressRange.Bits? {
        guard let client else { return nil }
        guard let depth else { return client.bits }
        // What an untrusted peer says of the way here is not believed.
        guard client.isTrusted, depth > 0 else { return nil }
        var chain: [Range<Int>] = []
        var index = fields.first(.xForwardedFor)
        while let found = index {
            var elements = ListElements(of: fields[found].valueRange, in: bytes)
            while let element = elements.next() { chain.append(element) }
            index = fields.next(.xForwardedFor, after: found)
        }
        guard chain.count >= depth else { return nil }
        let text = String(decoding: bytes[chain[chain.count - depth]], as: UTF8.self)
        return AddressRange.Bits(text).map { AddressRange.Bits(packet: $0.bytes) }
    }

    // MARK: basicAuth

    func credentials(_ fields: FieldTable, in bytes: UnsafeRawBufferPointer) -> BasicCredentials? {
        value(of: "authorization", fields, in: bytes).flatMap { value in
            value.withUnsafeBytes { BasicCredentials(fieldValue: $0) }
        }
    }

    /// The user is who he says he is.
    func admit(_ credentials: BasicCredentials, _ gate: BasicAuthGate) {
        if let name = gate.settings.headerField { request.apply(.set(name: name, value: credentials.user)) }
        if gate.settings.removesHeader { request.apply(.remove(name: "Authorization")) }
    }
}
