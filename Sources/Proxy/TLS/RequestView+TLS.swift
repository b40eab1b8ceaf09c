extension RequestView {
    /// Why the request is refused on this connection, whatever router would take it: it came without TLS where TLS is
    /// needed, or over a TLS connection whose rules are not those of its host (RFC 9110, section 15.5.20).
    func refusal(by tls: TLSServing?) -> LocalResponse? {
        guard let connection = client.tls else { return client.entryPoint.needsTLS ? .plainHTTP : nil }
        guard let tls, !tls.permits(host, on: connection, entryPoint: client.entryPoint.index) else { return nil }
        return LocalResponse(.misdirected)
    }
}

extension LocalResponse {
    /// HTTP came where TLS is needed.
    fileprivate static var plainHTTP: LocalResponse {
        var answer = LocalResponse(.plainHTTP)
        answer.text = "400 Bad Request: this port speaks HTTPS, and the request came without TLS\n"
        return answer
    }
}
