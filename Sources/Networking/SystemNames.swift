import NIOCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// Host names as the system resolves them: `/etc/hosts`, name servers, and other sources that it is configured to use.
package enum SystemNames {
    /// The maximum number of addresses used for one name.
    static let addressLimit = 64

    /// The addresses of a name, by `getaddrinfo`. Blocks as long as the system's resolver does, which may be half a
    /// minute or more if a name server does not answer.
    ///
    /// The order is that of RFC 6724, as `getaddrinfo` returns it, but with alternating address families, so that an
    /// unreachable family costs only one attempt (RFC 8305, section 4).
    package static func addresses(of name: String) -> NameTable.Answer {
        var hint = addrinfo()
        #if canImport(Glibc)
        hint.ai_socktype = Int32(SOCK_STREAM.rawValue)
        #else
        hint.ai_socktype = SOCK_STREAM
        #endif
        var first: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(name, nil, &hint, &first)
        guard code == 0 else { return .failure(error(code, errno)) }
        defer { freeaddrinfo(first) }
        var addresses: [SocketAddress] = []
        var next = first
        while let entry = next?.pointee, addresses.count < addressLimit {
            if let address = address(entry) { addresses.append(address) }
            next = entry.ai_next
        }
        return addresses.isEmpty ? .failure(.noAddress) : .success(takingTurns(addresses))
    }

    private static func address(_ entry: addrinfo) -> SocketAddress? {
        guard let pointer = UnsafeRawPointer(entry.ai_addr) else { return nil }
        switch entry.ai_family {
        case AF_INET: return SocketAddress(pointer.loadUnaligned(as: sockaddr_in.self))
        case AF_INET6: return SocketAddress(pointer.loadUnaligned(as: sockaddr_in6.self))
        default: return nil
        }
    }

    private static func error(_ code: Int32, _ number: Int32) -> NameError {
        switch code {
        case EAI_NONAME, noData: .noAddress
        case EAI_SYSTEM: .lookupFailed(String(cString: strerror(number)).lowercased())
        default: .lookupFailed(String(cString: gai_strerror(code)).lowercased())
        }
    }

    /// `EAI_NODATA`: the name exists but has no address. No current standard defines it, and not every header does.
    private static let noData: Int32 = {
        #if canImport(Darwin)
        7
        #else
        -5
        #endif
    }()

    /// Alternates between the families, beginning with that of the first address. Each family keeps its order.
    static func takingTurns(_ addresses: [SocketAddress]) -> [SocketAddress] {
        let family = addresses.first?.protocol
        let own = addresses.filter { $0.protocol == family }
        let other = addresses.filter { $0.protocol != family }
        let both = zip(own, other).flatMap { [$0, $1] }
        return both + own.dropFirst(other.count) + other.dropFirst(own.count)
    }
}
