import NIOCore
import Networking

/// Where containers in host mode are reached: on the machine itself, which has a name of its own for whoever is in a
/// container.
enum DockerHostAddress {
    static let loopback = "127.0.0.1"
    /// How long containers in host mode wait for it at first.
    static let timeout = Duration.seconds(1)
    /// As Traefik tries them.
    private static let names = ["host.docker.internal", "host.containers.internal"]

    /// The address that one of these names has here, or else the loopback. Takes as long as the system's resolver does.
    @Sendable
    static func resolved() async -> String {
        for name in names {
            if case .success(let addresses)? = try? await NameResolver.shared.addresses(of: name),
                let address = addresses.first?.ipAddress
            {
                return address
            }
        }
        return loopback
    }
}
