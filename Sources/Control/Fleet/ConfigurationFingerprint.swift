import Affinity
package import Configuration
import Crypto
import Proxy
import Store

/// 64 bits derived from what must be equal in all replicas of a fleet, so that replicas can detect a difference.
///
/// The fingerprint covers what decides where a session goes: the namespace and, for each service, its name, the names
/// and weights of its backends or services, its strategy and its sticky settings. The order in which they are written
/// does not count. It does not cover
/// - addresses of backends that have a name: the name is the backend's identity, and its address may differ between two
///   places;
/// - `draining` and cookie keys, which are changed replica by replica while the fleet runs;
/// - the attributes of the affinity cookie other than its name and `acceptTraefikCookie`: they concern browsers, not
///   replicas;
/// - routers and all else that a replica decides for itself.
///
/// It is keyed from the fleet secret: replicas with different secrets have different fingerprints, and without the
/// secret, the fingerprint reveals nothing. A replica without a secret has a new fingerprint at each start.
package struct ConfigurationFingerprint: Hashable, Sendable, CustomStringConvertible {
    package let bits: UInt64

    package init(_ configuration: Configuration, keys: FleetKeys) {
        var encoding = ConfigurationEncoding()
        encoding.add(configuration)
        let code = HMAC<SHA256>.authenticationCode(for: encoding.bytes, using: keys.configuration)
        bits = code.prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
    }

    /// 16 hexadecimal digits.
    package var description: String { bits.hexadecimal }
}

/// A configuration as bytes, the same on every replica. Numbers take eight bytes; all else is preceded by its length,
/// so that two configurations never collide by concatenation. A change to this encoding changes every fingerprint:
/// replicas of two versions would then see each other as different.
private struct ConfigurationEncoding {
    private(set) var bytes: [UInt8] = []

    mutating func add(_ configuration: Configuration) {
        add(configuration.fleet.namespace.description)
        let services = Self.sorted(configuration.http.services, by: \.name)
        add(services.count)
        for service in services { add(service) }
    }

    private mutating func add(_ service: ServiceSettings) {
        add(service.name)
        switch service.targets {
        case .servers(let servers):
            let backends = Self.sorted(servers, by: \.name)
            add(backends.count)
            for backend in backends {
                add(backend.name)
                add(backend.weight)
            }
        case .services(let services):
            let children = Self.sorted(services, by: \.reference.name)
            // A negative number, which cannot be a number of backends.
            add(Int64.min | Int64(children.count))
            for child in children {
                add(child.reference.name)
                add(child.weight)
            }
        case .failover(let failover):
            // Another one, which no number of children makes.
            add(Int64.min | Int64.max)
            add(failover.main.name)
            add(failover.fallback.name)
        }
        add((service.sticky == nil ? 0 : 1) | Self.strategyCode(of: service) << 1)
        if let sticky = service.sticky { add(sticky) }
    }

    /// 0 is the code of a service's default strategy.
    private static func strategyCode(of service: ServiceSettings) -> Int {
        switch service.strategy {
        case ServiceSettings.defaultStrategy(isSticky: service.sticky != nil): 0
        case .hrw: 1
        case .wrr: 2
        case .p2c: 3
        }
    }

    private mutating func add(_ sticky: StickySettings) {
        add(sticky.sources.count)
        for source in sticky.sources { add(source) }
        add(sticky.idleTimeout.wholeMilliseconds)
        add(sticky.absoluteTimeout == nil ? 0 : 1)
        if let absoluteTimeout = sticky.absoluteTimeout { add(absoluteTimeout.wholeMilliseconds) }
        add(sticky.onUnavailable.rawValue)
    }

    private mutating func add(_ source: SessionKeySource) {
        switch source {
        case .header(let name, let learns):
            add(learns ? "header, learnt" : "header")
            add(name.lowercased())
        case .query(let name):
            add("query")
            add(name)
        case .appCookie(let name, let learns):
            add(learns ? "appCookie, learnt" : "appCookie")
            add(name)
        case .clientIP(let ipv4Prefix, let ipv6Prefix):
            add("clientIP")
            add(ipv4Prefix)
            add(ipv6Prefix)
        case .cookie(let cookie, let acceptsTraefikCookie):
            add(acceptsTraefikCookie ? "cookie, also Traefik's" : "cookie")
            add(cookie.name)
        }
    }

    private mutating func add(_ number: some FixedWidthInteger) {
        withUnsafeBytes(of: UInt64(truncatingIfNeeded: number).littleEndian) { bytes.append(contentsOf: $0) }
    }

    private mutating func add(_ text: String) {
        add(text.utf8.count)
        bytes.append(contentsOf: text.utf8)
    }

    /// Sorted by bytes, because the order of `String` depends on the Unicode version.
    private static func sorted<Element>(_ elements: [Element], by name: KeyPath<Element, String>) -> [Element] {
        elements.sorted { $0[keyPath: name].utf8.lexicographicallyPrecedes($1[keyPath: name].utf8) }
    }
}
