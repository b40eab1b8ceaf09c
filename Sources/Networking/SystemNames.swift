import NIOCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// Host names as the system knows them: `/etc/hosts`, name servers, and what else it is set up to ask.
package enum SystemNames {
    /// How many addresses of one name count.
    static let addressLimit = 64

    /// The addresses of a name, by `getaddrinfo`: blocks as long as the system's resolver does, which may be half a
    /// minute and more where a name server does not answer.
    ///
    /// They come in the order of RFC 6724, in which `getaddrinfo` has them, with the families taking turns, so that a
    /// family that leads nowhere costs one attempt (RFC 8305, section 4).
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

    /// The name is there, and has no address: `EAI_NODATA`, which no standard has any more, and not every header.
    private static let noData: Int32 = {
        #if canImport(Darwin)
        7
        #else
        -5
        #endif
    }()

    /// One of each family in turn, the first one's first, each family in its order.
    static func takingTurns(_ addresses: [SocketAddress]) -> [SocketAddress] {
        let family = addresses.first?.protocol
        let own = addresses.filter { $0.protocol == family }
        let other = addresses.filter { $0.protocol != family }
        let both = zip(own, other).flatMap { [$0, $1] }
        return both + own.dropFirst(other.count) + other.dropFirst(own.count)
    }
}
