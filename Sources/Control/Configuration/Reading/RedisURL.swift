/// Where a Redis is: `redis://host:port/database`, `unix:///path?db=database`.
struct RedisURL: Equatable {
    let address: RedisOptions.Address
    let database: Int

    static let databaseMax = 65535

    /// What may hold a password does not stand in an error.
    ///
    /// - Throws: `AddressError`, whose message says what would be right.
    init(_ text: String) throws(AddressError) {
        guard let scheme = text.firstRange(of: "://") else {
            throw AddressError("…", "is no URL: write redis://host:port/database or unix:///path")
        }
        let name = text[..<scheme.lowerBound].lowercased()
        let rest = text[scheme.upperBound...]
        switch name {
        case "redis": (address, database) = try Self.tcp(rest)
        case "unix": (address, database) = try Self.unix(rest)
        case "rediss":
            throw AddressError("rediss://…", "asks for TLS to the store, which is not available in this version")
        default: throw AddressError("…", "has an unknown scheme: write redis://host:port/database or unix:///path")
        }
    }

    private static func tcp(_ rest: Substring) throws(AddressError) -> (RedisOptions.Address, Int) {
        guard !rest.contains("@") else {
            throw AddressError("redis://…@…", "holds credentials: write them as username and passwordFile")
        }
        let parts = rest.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        let place = try HostAndPort(parts[0], of: "redis://\(rest)", defaultPort: 6379)
        let number = parts.count > 1 ? parts[1] : ""
        return (.tcp(host: place.host, port: place.port), try database(number, of: "redis://\(rest)"))
    }

    private static func unix(_ rest: Substring) throws(AddressError) -> (RedisOptions.Address, Int) {
        let parts = rest.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        let text = "unix://\(rest)"
        guard parts[0].hasPrefix("/"), parts[0].utf8.count > 1, parts[0].utf8.count < 108 else {
            throw AddressError(text, "needs an absolute path of at most 107 bytes: write unix:///path")
        }
        let query = parts.count > 1 ? parts[1] : "db="
        guard query.hasPrefix("db=") else { throw AddressError(text, "may only have ?db=number after the path") }
        return (.unix(path: String(parts[0])), try database(query.dropFirst(3), of: text))
    }

    private static func database(_ digits: Substring, of text: String) throws(AddressError) -> Int {
        if digits.isEmpty { return 0 }
        guard let number = Int(decimal: digits), number <= databaseMax else {
            throw AddressError(text, "has no valid database: write a number from 0 to \(databaseMax)")
        }
        return number
    }
}
