/// A replica's configuration of its store.
package struct StoreSettings: Sendable {
    /// As configured. Where Sentinels name the primary, its address is not known here; only the rest counts.
    package var endpoint: RedisEndpoint
    /// The Sentinels that name the primary. Nil if its address is configured.
    package var sentinel: SentinelSettings?
    /// The prefix of all keys and channels. Equal in the whole fleet.
    package var namespace: StoreNamespace
    /// The timeout for looking a name up, for connecting to each address, for its TLS handshake, and for the replies to
    /// the first commands.
    package var connectTimeout: Duration
    /// The budget: how long a request waits for a result.
    package var commandTimeout: Duration
    /// How long a server that owes a reply may be silent before all connections to it are ended: the lease of the
    /// coherence channel.
    package var lease: Duration
    /// For endpoints that use TLS.
    package var tls: RedisTLS?

    package init(
        endpoint: RedisEndpoint, sentinel: SentinelSettings? = nil, namespace: StoreNamespace = .limpet,
        connectTimeout: Duration = .milliseconds(500), commandTimeout: Duration = .milliseconds(20),
        lease: Duration = .milliseconds(500), tls: RedisTLS? = nil
    ) {
        self.endpoint = endpoint
        self.sentinel = sentinel
        self.namespace = namespace
        self.connectTimeout = connectTimeout
        self.commandTimeout = commandTimeout
        self.lease = lease
        self.tls = tls
    }
}

/// The prefix of all keys and channels: 1 to 64 letters, digits, or any of `. _ - :`. Braces are not allowed: they
/// would bind all keys to one slot of a cluster.
package struct StoreNamespace: Hashable, Sendable, CustomStringConvertible {
    package let description: String

    package static let limpet = StoreNamespace(checked: "limpet")

    /// Nil if the text is not a valid namespace.
    package init?(_ text: String) {
        guard (1...64).contains(text.utf8.count), text.utf8.allSatisfy(Self.allows) else { return nil }
        description = text
    }

    private init(checked text: String) { description = text }

    private static func allows(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"),
            UInt8(ascii: ":"):
            true
        default: false
        }
    }
}
