extension StoreOptions {
    private static let leases = Duration.milliseconds(100)...(.seconds(60))

    init(_ section: SettingSection?) {
        section?.check(known: ["redis", "cache", "lease"])
        redis = section?.section("redis").map(RedisOptions.init)
        let cache = section?.section("cache")
        cache?.check(known: ["entries"])
        cacheEntries = cache?["entries"]?.integer(1...100_000_000) ?? 1_000_000
        lease = section?["lease"]?.duration(Self.leases) ?? .milliseconds(500)
    }
}

extension RedisOptions {
    private static let timeouts = Duration.milliseconds(1)...(.seconds(60))

    init(_ section: SettingSection) {
        section.check(
            known: ["endpoints", "username", "password", "passwordFile", "connectTimeout", "commandTimeout"],
            unavailable: ["sentinel", "cluster", "tls"])
        let url = Self.url(section)
        address = url?.address ?? .tcp(host: "127.0.0.1", port: 6379)
        database = url?.database ?? 0
        username = section["username"]?.nonEmptyString()
        password = Self.password(section)
        if let username = section["username"], section["password"] == nil, section["passwordFile"] == nil {
            username.mistake("needs a password: set passwordFile")
        }
        connectTimeout = section["connectTimeout"]?.duration(Self.timeouts) ?? .milliseconds(500)
        commandTimeout = section["commandTimeout"]?.duration(Self.timeouts) ?? .milliseconds(20)
    }

    private static func url(_ section: SettingSection) -> RedisURL? {
        guard let value = section["endpoints"] else { return nil }
        let list = value.list()
        guard list.count <= 1 else {
            value.mistake("must be one endpoint: several (Sentinel, Cluster) are not available in this version")
            return nil
        }
        guard let first = list.first else {
            if value.isList { value.mistake("must name an endpoint, as redis://127.0.0.1:6379/0") }
            return nil
        }
        guard let text = first.string() else { return nil }
        do throws(AddressError) {
            return try RedisURL(text)
        } catch {
            first.mistake(error.description)
            return nil
        }
    }

    private static func password(_ section: SettingSection) -> Secret? {
        guard let value = section["password"] else { return section["passwordFile"].flatMap(Secret.init(file:)) }
        if section["passwordFile"] != nil { value.mistake("stands beside passwordFile: write one of them") }
        return value.string().map { Secret(Array($0.utf8)) }
    }
}
