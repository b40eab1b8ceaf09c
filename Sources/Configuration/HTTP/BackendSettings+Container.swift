import Proxy
import Routing

extension BackendSettings {
    private enum Scheme: String, CaseIterable {
        case http, https, h2c
    }

    /// The server that the container provides: `loadbalancer.server`. Nil if the container is not reachable, or after
    /// an error.
    init?(_ section: SettingSection, of container: DockerContribution) {
        section.check(known: ["port", "scheme", "url", "weight", "draining"], unavailable: ["preservePath"])
        let weight = section["weight"]?.integer(0...65535) ?? 1
        let isDraining = section["draining"]?.bool() ?? false
        let scheme = section["scheme"]?.choice(Scheme.self) ?? .http
        let given = section["port"]?.integer(1...65535)
        guard let url = Self.url(section, container, scheme, given) else { return nil }
        do throws(AddressError) {
            let place = try ServerURL(url)
            if place.hasPath {
                section["url"]?.warning("has a path, which has no effect: requests keep their own path")
            }
            self.init(
                name: container.containerID, url: url, host: place.host, port: place.port, weight: weight,
                isDraining: isDraining || container.isDraining, isUnhealthy: container.isUnhealthy,
                isSecure: place.isSecure, isHTTP2: place.isHTTP2)
        } catch {
            (section["url"] ?? section.made("url", url)).diagnostic(error.description)
            return nil
        }
    }

    private static func url(
        _ section: SettingSection, _ container: DockerContribution, _ scheme: Scheme, _ port: Int?
    ) -> String? {
        if let value = section["url"] {
            for key in ["port", "scheme"] { section[key]?.diagnostic("cannot be combined with url") }
            return container.isReachable ? value.string() : nil
        }
        guard let host = container.host else { return nil }
        guard let port = port ?? container.exposedPorts.first else {
            if section["port"] == nil {
                section.diagnostic(
                    "is missing: the container exposes no TCP port, so set the one it listens on", key: "port")
            }
            return nil
        }
        return "\(scheme.rawValue)://\(host.contains(":") ? "[\(host)]" : host):\(port)"
    }
}
