package import Routing

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Where a Docker Engine listens.
package enum DockerEndpoint: Equatable, Sendable, CustomStringConvertible {
    case unix(path: String)
    /// An IPv6 host is written without brackets.
    case tcp(host: String, port: Int)

    /// The Engine's port for unencrypted connections.
    private static let defaultPort = 2375
    /// The size of the path in `sockaddr_un`, less the terminating zero.
    private static let pathByteCountMax = 107

    /// - Parameter text: `unix:///path`, `tcp://host:port` or `http://host:port`.
    /// - Throws: `AddressError`, whose message says how to correct the text.
    package init(_ text: String) throws(AddressError) {
        guard !text.contains("@") || text.lowercased().hasPrefix("unix:") else {
            throw AddressError(text, "must not contain credentials: write tcp://host:port")
        }
        guard let scheme = text.firstRange(of: "://") else {
            throw AddressError(text, "is not a valid endpoint: write unix:///var/run/docker.sock or tcp://host:port")
        }
        let rest = text[scheme.upperBound...]
        switch text[..<scheme.lowerBound].lowercased() {
        case "unix":
            guard rest.hasPrefix("/"), !rest.hasSuffix("/"), !rest.utf8.contains(0) else {
                throw AddressError(text, "needs the full path of a socket: write unix:///var/run/docker.sock")
            }
            guard rest.utf8.count <= Self.pathByteCountMax else {
                throw AddressError(
                    text, "has a socket path longer than \(Self.pathByteCountMax) bytes")
            }
            self = .unix(path: String(rest))
        case "tcp", "http": self = try Self.tcp(rest, of: text)
        case "https":
            throw AddressError(text, "uses https, but TLS to the Docker Engine is not available in this version")
        case "ssh": throw AddressError(text, "uses ssh, but SSH to the Docker Engine is not available in this version")
        case "npipe": throw AddressError(text, "is a Windows named pipe: write unix:///path or tcp://host:port")
        default: throw AddressError(text, "has an unknown scheme: write unix:///path or tcp://host:port")
        }
    }

    private static func tcp(_ rest: Substring, of text: String) throws(AddressError) -> DockerEndpoint {
        let authority = rest.hasSuffix("/") ? rest.dropLast() : rest
        guard !authority.contains("/") else { throw AddressError(text, "has a path: write tcp://host:port") }
        let place = try HostAndPort(authority, of: text, defaultPort: defaultPort)
        return .tcp(host: place.host, port: place.port)
    }

    package var description: String {
        switch self {
        case .unix(let path): "unix://\(path)"
        case .tcp(let host, let port): host.contains(":") ? "tcp://[\(host)]:\(port)" : "tcp://\(host):\(port)"
        }
    }

    /// The value of the `Host` header.
    package var authority: String {
        switch self {
        case .unix: "docker"
        case .tcp(let host, let port): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        }
    }

    /// Identifies the current socket. A socket that differs from the last one, or appears where there was none, may
    /// mean that the Engine is back.
    package var socket: SocketMark? {
        guard case .unix(let path) = self else { return nil }
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        return SocketMark(device: UInt64(status.st_dev), node: UInt64(status.st_ino))
    }

    package struct SocketMark: Equatable, Sendable {
        let device: UInt64
        let node: UInt64
    }
}

extension DockerProviderSettings {
    /// - Throws: `DockerSettingError`.
    package func parsedEndpoint() throws(DockerSettingError) -> DockerEndpoint {
        do {
            return try DockerEndpoint(endpoint)
        } catch {
            throw DockerSettingError("endpoint", error.description)
        }
    }
}
