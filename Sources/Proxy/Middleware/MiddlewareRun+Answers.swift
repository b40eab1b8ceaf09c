import HTTPWire
import Routing

/// Middlewares that may answer a request themselves.
extension MiddlewareRun {
    // MARK: redirectScheme

    /// Nil if the request arrived by the required scheme.
    func answer(of redirect: SchemeRedirect, _ request: RequestView) -> LocalResponse? {
        guard scheme(request) != redirect.scheme else { return nil }
        // HTTP/1.0 without Host: the target of the redirect is unknown.
        guard request.head.host != nil else { return LocalResponse(.badRequest) }
        let location = withPath(request) { path in
            redirect.location(host: request.host, path: path, query: request.query)
        }
        return .redirect(to: location, status: redirect.status(for: request.head.method))
    }

    /// The scheme that a middleware set or a trusted peer reports, otherwise that of the connection.
    private func scheme(_ request: RequestView) -> SchemeRedirect.Scheme {
        let isKnown = request.client.isTrusted || edits.drops("x-forwarded-proto")
        guard isKnown, let value = value(of: "x-forwarded-proto", request) else { return request.client.scheme }
        return SchemeRedirect.Scheme(forwarded: value) ?? request.client.scheme
    }

    // MARK: ipAllowList

    /// Nil if the client's address is allowed.
    func answer(of list: IPAllowList, _ request: RequestView) -> LocalResponse? {
        if let address = address(list.depth, request),
            list.ranges.contains(where: { $0.contains(address) })
        {
            return nil
        }
        return LocalResponse(.addressRefused, status: list.refusalStatus)
    }

    private func address(_ depth: Int?, _ request: RequestView) -> AddressRange.Bits? {
        let (client, fields, bytes) = (request.client, request.fields, request.bytes)
        guard let depth else { return client.bits }
        // An untrusted peer's X-Forwarded-For is not believed.
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

    func credentials(_ request: RequestView) -> BasicCredentials? {
        value(of: "authorization", request).flatMap { value in
            value.withUnsafeBytes { BasicCredentials(fieldValue: $0) }
        }
    }
}
