import NIOCore
import NIOPosix

/// Where containers in host mode are reached: on the machine itself, which has a name of its own for whoever is in a
/// container.
enum DockerHostAddress {
    static let loopback = "127.0.0.1"
    /// As Traefik tries them.
    private static let names = ["host.docker.internal", "host.containers.internal"]

    /// The address that one of these names has here, or else the loopback. Blocks none of Swift's threads.
    static func resolved() async -> String {
        let address = try? await NIOThreadPool.singleton.runIfActive {
            names.lazy.compactMap { try? SocketAddress.makeAddressResolvingHost($0, port: 0).ipAddress }.first
        }
        return (address ?? nil) ?? loopback
    }
}
