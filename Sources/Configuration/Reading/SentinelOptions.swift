package import Store

/// The Sentinels that name the primary: `store.redis.sentinel`. Their addresses are `store.redis.endpoints`.
package struct SentinelOptions: Equatable, Sendable {
    /// With the credentials for them. Empty only if a mistake has been reported.
    package var endpoints: [RedisEndpoint]
    /// The name by which they know the primary. Empty only if a mistake has been reported.
    package var primaryName: String
    /// Nil unless one of them is reached over TLS.
    package var tls: ClientTLSOptions?

    /// - Parameters:
    ///   - endpoints: as they are configured. Those with mistakes, which have been reported, are left out.
    ///   - tls: how the primary is reached, and the Sentinels, too, if their own section does not say.
    init(_ section: SettingSection, endpoints: [RedisEndpoint], tls: ClientTLSOptions?) {
        section.check(known: ["masterName", "username", "password", "passwordFile", "tls"])
        let credentials = RedisOptions.credentials(section)
        self.endpoints = endpoints.map { endpoint in
            RedisEndpoint(address: endpoint.address, credentials: credentials, usesTLS: endpoint.usesTLS)
        }
        primaryName = section["masterName"]?.nonEmptyString() ?? ""
        if section["masterName"] == nil { section.diagnostic("needs masterName, e.g. mymaster") }
        if endpoints.isEmpty {
            section.diagnostic("needs the Sentinels' addresses in endpoints, e.g. redis://127.0.0.1:26379")
        }
        self.tls = Self.tls(section, endpoints, primary: tls)
    }

    private static func tls(
        _ section: SettingSection, _ endpoints: [RedisEndpoint], primary: ClientTLSOptions?
    ) -> ClientTLSOptions? {
        let own = section.section("tls").map(ClientTLSOptions.init)
        guard endpoints.contains(where: \.usesTLS) else {
            if own != nil, !endpoints.isEmpty {
                section["tls"]?.diagnostic("needs endpoints with TLS: write rediss://host:port")
            }
            return nil
        }
        if primary == nil {
            section.warning(
                "has endpoints with TLS, but the primary that they name is reached without it: set store.redis.tls, which "
                    + "may be empty ({})")
        }
        return own ?? primary ?? ClientTLSOptions()
    }
}
