import Store

extension StoreOptions {
    static let leaseDefault = Duration.milliseconds(500)
    private static let leases = Duration.milliseconds(100)...(.seconds(10))

    init(_ section: SettingSection?) {
        section?.check(known: ["redis", "cache", "lease"])
        let redisSection = section?.section("redis")
        redis = redisSection.map(RedisOptions.init)
        let cache = section?.section("cache")
        cache?.check(known: ["entries"])
        cacheEntries = cache?["entries"]?.integer(1...100_000_000) ?? 1_000_000
        lease = section?["lease"]?.duration(Self.leases) ?? Self.leaseDefault
        // A result older than the lease is not kept, so a request that waits that long would never learn a binding.
        if let redis, redis.commandTimeout >= lease {
            redisSection?["commandTimeout"]?.diagnostic(
                "must be shorter than store.lease (\(DurationText.write(lease)))")
        }
    }
}

extension RedisOptions {
    private static let timeouts = Duration.milliseconds(1)...(.seconds(60))

    init(_ section: SettingSection) {
        section.check(
            known: [
                "endpoints", "username", "password", "passwordFile", "connections", "connectTimeout", "commandTimeout",
                "sentinel", "tls",
            ],
            unavailable: ["cluster"])
        let own = section.section("sentinel")
        let listed = Self.endpoints(section, areSentinels: own != nil)
        let read = listed.compactMap(\.self)
        endpoint = read.first ?? RedisEndpoint(address: .host("127.0.0.1", port: RedisEndpoint.defaultPort))
        connections = section["connections"]?.integer(1...64) ?? 4
        connectTimeout = section["connectTimeout"]?.duration(Self.timeouts) ?? .milliseconds(500)
        commandTimeout = section["commandTimeout"]?.duration(Self.timeouts) ?? .milliseconds(20)
        if let own {
            tls = section.section("tls").map(ClientTLSOptions.init)
            sentinel = SentinelOptions(own, endpoints: read, tls: tls)
            endpoint.usesTLS = tls != nil
            Self.checkSentinels(section, read, listed: listed.count)
        } else {
            if read.count > 1 {
                section["endpoints"]?.diagnostic(
                    "must name a single endpoint, unless sentinel.masterName says that they are Sentinels")
            }
            tls = Self.tls(section, endpoint, isKnown: !read.isEmpty || section["endpoints"] == nil)
        }
        endpoint.credentials = Self.credentials(section)
    }

    /// The database is the primary's: Sentinels have none. Each Sentinel has one vote.
    private static func checkSentinels(_ section: SettingSection, _ endpoints: [RedisEndpoint], listed: Int) {
        if Set(endpoints.map(\.database)).count > 1 {
            section["endpoints"]?.diagnostic("must all have the same database, the primary's")
        }
        if Set(endpoints.map { caseless($0.address) }).count < endpoints.count {
            section["endpoints"]?.diagnostic("must not name a Sentinel twice: each counts once toward the majority")
        } else if (1..<sentinelsForMajority).contains(listed) {
            section["endpoints"]?.warning(
                "names fewer than three Sentinels: without one of them there is no majority, and no fail-over is "
                    + "followed")
        }
    }

    /// So many still have a majority when one of them is lost.
    private static let sentinelsForMajority = 3

    /// Host names are equal in whatever case they are written.
    private static func caseless(_ address: RedisEndpoint.Address) -> RedisEndpoint.Address {
        switch address {
        case .host(let host, let port): .host(host.lowercased(), port: port)
        case .unixSocket: address
        }
    }

    private static func tls(
        _ section: SettingSection, _ endpoint: RedisEndpoint, isKnown: Bool
    ) -> ClientTLSOptions? {
        let options = section.section("tls").map(ClientTLSOptions.init)
        guard endpoint.usesTLS else {
            // An endpoint with a mistake may have been meant to have TLS.
            if isKnown, options != nil {
                section["tls"]?.diagnostic("needs an endpoint with TLS: write rediss://host:port")
            }
            return nil
        }
        return options ?? ClientTLSOptions()
    }

    /// Nil for each that has a mistake, which is reported.
    private static func endpoints(_ section: SettingSection, areSentinels: Bool) -> [RedisEndpoint?] {
        guard let value = section["endpoints"] else { return [] }
        let list = value.list()
        if list.isEmpty, value.isList {
            value.diagnostic("must name an endpoint, e.g. redis://127.0.0.1:6379/0")
        }
        return list.map { item in
            guard let text = item.string() else { return nil }
            do throws(RedisEndpointError) {
                return try RedisEndpoint(
                    withoutCredentials(text, item),
                    defaultPort: areSentinels ? RedisEndpoint.defaultSentinelPort : RedisEndpoint.defaultPort)
            } catch {
                item.diagnostic(error.description)
                return nil
            }
        }
    }

    /// The URL without its credentials. Reports that it contains credentials, however they are written. The rest is
    /// still checked, so that other errors are reported too.
    private static func withoutCredentials(_ url: String, _ value: SettingValue) -> String {
        guard let at = url.lastIndex(of: "@") else { return url }
        value.diagnostic("must not contain credentials: set username and passwordFile")
        let rest = url[url.index(after: at)...]
        guard let colon = url[..<at].firstIndex(of: ":"), url[colon...].hasPrefix("://") else { return String(rest) }
        return "\(url[..<colon])://\(rest)"
    }

    static func credentials(_ section: SettingSection) -> RedisCredentials? {
        let username = section["username"]?.nonEmptyString()
        guard let password = password(section) else {
            if let username = section["username"], section["password"] == nil, section["passwordFile"] == nil {
                username.diagnostic("needs a password: set passwordFile")
            }
            return nil
        }
        return RedisCredentials(username: username, password: password)
    }

    private static func password(_ section: SettingSection) -> String? {
        let file = section["passwordFile"]
        let value = section["password"]
        if let value, file != nil { value.diagnostic("cannot be combined with passwordFile") }
        guard let place = value ?? file, let password = value.map({ $0.string() }) ?? file.flatMap(contents) else {
            return nil
        }
        if password.isEmpty { place.warning("is empty: an empty password is sent to Redis") }
        return password
    }

    private static func contents(of file: SettingValue) -> String? {
        guard let secret = Secret(file: file) else { return nil }
        guard let text = String(validating: secret.bytes, as: UTF8.self) else {
            file.diagnostic("does not contain valid UTF-8")
            return nil
        }
        return text
    }
}
