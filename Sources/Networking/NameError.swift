package import NIOPosix

/// Why a host name cannot be resolved to an address.
package enum NameError: Error, Hashable, Sendable, CustomStringConvertible {
    /// An authoritative answer says that the name does not exist, or has no address.
    case noAddress
    /// The lookup failed: the name server does not answer or refuses to, or this machine has a problem.
    case lookupFailed(String)
    /// Too many other names are being looked up.
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
    /// Why no address of the host was tried.
    package var nameError: NameError { dnsAError as? NameError ?? .noAddress }
}
