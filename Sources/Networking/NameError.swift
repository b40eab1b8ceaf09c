package import NIOPosix

/// Why a host name leads to no address.
package enum NameError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Whoever is responsible for the name says that it does not exist, or has no address.
    case noAddress
    /// Nobody could say: the name server does not answer or refuses to, or something is wrong with this machine.
    case lookupFailed(String)
    /// So many other names are being looked up that this one was not.
    case tooManyNames

    package var description: String {
        switch self {
        case .noAddress: "the host name has no address"
        case .lookupFailed(let reason): "the host name lookup failed: \(reason)"
        case .tooManyNames: "too many host names are being looked up"
        }
    }
}

extension NIOConnectionError {
    /// Why no address of the host was even tried.
    package var nameError: NameError { dnsAError as? NameError ?? .noAddress }
}
