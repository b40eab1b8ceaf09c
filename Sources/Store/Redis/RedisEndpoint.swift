import Affinity

/// The address of a Redis, with credentials and database, parsed from a URL:
/// `redis://[[user]:password@]host[:port][/database]`, the same with `rediss://` for TLS, or
/// `unix://[[user]:password@]/path[?db=database]`.
///
/// User and password are percent-decoded. The text form, for logs and errors, never contains the password.
package struct RedisEndpoint: Hashable, Sendable {
    package enum Address: Hashable, Sendable {
        case host(String, port: Int)
        case unixSocket(path: String)
    }

    package static let defaultPort = 6379
    package static let defaultSentinelPort = 26379

    package var address: Address
    package var credentials: RedisCredentials?
    package var database: Int
    package var usesTLS: Bool

    package init(
        address: Address, credentials: RedisCredentials? = nil, database: Int = 0, usesTLS: Bool = false
    ) {
        self.address = address
        self.credentials = credentials
        self.database = database
        self.usesTLS = usesTLS
    }

    /// Parses a URL. The error says what is wrong and what would be right.
    ///
    /// - Parameter defaultPort: of a URL without a port.
    package init(_ url: String, defaultPort: Int = Self.defaultPort) throws(RedisEndpointError) {
        let parts = url.split(separator: "://", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2 else { throw RedisEndpointError("it must begin with redis://, rediss:// or unix://") }
        switch parts[0] {
        case "redis": try self.init(network: parts[1], defaultPort, usesTLS: false)
        case "rediss": try self.init(network: parts[1], defaultPort, usesTLS: true)
        case "unix": try self.init(unix: parts[1])
        default: throw RedisEndpointError("the scheme must be redis, rediss or unix")
        }
    }

    private init(network rest: Substring, _ defaultPort: Int, usesTLS: Bool) throws(RedisEndpointError) {
        let (credentials, place) = try RedisCredentials.split(rest)
        guard !place.contains("?") else {
            throw RedisEndpointError("the database follows a slash, as in redis://127.0.0.1:6379/1")
        }
        let parts = place.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        address = try Self.address(parts[0], defaultPort)
        self.credentials = credentials
        database = try parts.count > 1 && !parts[1].isEmpty ? Self.database(parts[1]) : 0
        self.usesTLS = usesTLS
    }

    private init(unix rest: Substring) throws(RedisEndpointError) {
        let (credentials, place) = try RedisCredentials.split(rest)
        let parts = place.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts[0].hasPrefix("/") else {
            throw RedisEndpointError("the socket path must be absolute, as in unix:///run/redis.sock")
        }
        // The kernel's socket address holds this many bytes and a closing zero byte.
        guard parts[0].utf8.count <= 107 else { throw RedisEndpointError("the socket path is longer than 107 bytes") }
        address = .unixSocket(path: String(parts[0]))
        self.credentials = credentials
        usesTLS = false
        database = 0
        guard parts.count > 1 else { return }
        guard parts[1].hasPrefix("db=") else {
            throw RedisEndpointError("the only parameter of a socket is the database, as in ?db=1")
        }
        database = try Self.database(parts[1].dropFirst(3))
    }

    private static func address(_ text: Substring, _ defaultPort: Int) throws(RedisEndpointError) -> Address {
        var host = text
        var port = Substring()
        if text.hasPrefix("[") {
            guard let end = text.firstIndex(of: "]") else {
                throw RedisEndpointError("the IPv6 address has no closing bracket")
            }
            host = text[text.index(after: text.startIndex)..<end]
            port = text[text.index(after: end)...]
        } else if let colon = text.firstIndex(of: ":") {
            host = text[..<colon]
            port = text[colon...]
        }
        guard !host.isEmpty else { throw RedisEndpointError("the host is missing, as in redis://127.0.0.1:6379") }
        guard !port.isEmpty else { return .host(String(host), port: defaultPort) }
        guard port.first == ":", let number = decimal(port.dropFirst()), number > 0 else {
            throw RedisEndpointError("the port must be a number from 1 to 65535")
        }
        return .host(String(host), port: Int(number))
    }

    private static func database(_ text: Substring) throws(RedisEndpointError) -> Int {
        guard let number = decimal(text) else {
            throw RedisEndpointError("the database must be a number from 0 to 65535")
        }
        return Int(number)
    }

    /// Parses digits only: no sign.
    private static func decimal(_ text: Substring) -> UInt16? {
        text.first == "+" ? nil : UInt16(text)
    }
}

extension RedisEndpoint: CustomStringConvertible {
    package var description: String {
        switch address {
        case .host: "\(usesTLS ? "rediss" : "redis")://\(place)/\(database)"
        case .unixSocket: "unix://\(place)?db=\(database)"
        }
    }

    /// `host:port`, or the path of the socket.
    package var place: String {
        switch address {
        case .host(let host, let port): ServerAddress(host: host, port: port).description
        case .unixSocket(let path): path
        }
    }
}

/// Why a text is not an endpoint. Repeats nothing of the text: any part of it may belong to a password.
package struct RedisEndpointError: Error, Hashable, Sendable, CustomStringConvertible {
    package let description: String

    init(_ description: String) { self.description = "is not a valid Redis URL: " + description }
}
