import NIOCore
import Networking

/// The address of containers in host mode: the machine's own, which has a special name inside a container.
enum DockerHostAddress {
    static let loopback = "127.0.0.1"
    /// How long containers in host mode first wait for the address.
    static let timeout = Duration.seconds(1)
    /// In the order that Traefik tries them.
    private static let names = ["host.docker.internal", "host.containers.internal"]

    /// The address of the first of these names that resolves here, else the loopback address. Takes as long as the
    /// system's resolver does.
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
