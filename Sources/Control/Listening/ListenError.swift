package import Configuration
package import NIOCore
package import NIOPosix

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Why the listener cannot use an address, in one sentence.
package struct ListenError: Error, CustomStringConvertible, Sendable {
    package let description: String

    /// Another one, with a hint behind it.
    init(_ error: ListenError, _ hint: String) {
        description = "\(error) (\(hint))"
    }

    init(_ address: ListenAddress, _ error: any Error) {
        let reason: String
        switch error {
        case let error as IOError where error.errnoCode == EADDRINUSE: reason = "address already in use"
        case let error as IOError where error.errnoCode == EACCES: reason = "permission denied for this port"
        case let error as IOError: reason = String(cString: strerror(error.errnoCode)).lowercased()
        case SocketAddressError.unknown(let host, _): reason = "host \(host) has no address"
        case let error as SocketAddressError.UnknownHost: reason = "host \(error.host) has no address"
        default: reason = "\(error)"
        }
        description = "cannot listen on \(address): \(reason)"
    }
}

extension ServerBootstrap {
    /// Starts to listen. On all interfaces, one socket serves IPv6 and IPv4, and an IPv4 client's address then has the
    /// form `::ffff:10.0.0.1`. Without IPv6 on this host, only IPv4 is used.
    package func bind(to address: ListenAddress) async throws(ListenError) -> any Channel {
        do {
            guard address.host == nil else { return try await bind(host: address.host ?? "", port: address.port).get() }
            do {
                // Not by name: on a host without IPv6, the resolver fails even for numeric IPv6 addresses.
                return try await bind(to: SocketAddress(ipAddress: "::", port: address.port)).get()
            } catch let error as IOError where [EAFNOSUPPORT, EADDRNOTAVAIL].contains(error.errnoCode) {
                return try await bind(to: SocketAddress(ipAddress: "0.0.0.0", port: address.port)).get()
            }
        } catch {
            throw ListenError(address, error)
        }
    }
}
