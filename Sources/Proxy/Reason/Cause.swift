import HTTPWire
import NIOCore
import NIOPosix
import Networking

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// A reason, and what exactly happened where the reason leaves that open. Contains nothing from a message.
package struct Cause: Equatable, Sendable {
    package let reason: Reason
    /// For people; nil if the reason says it all.
    package let detail: String?

    package init(_ reason: Reason, _ detail: String? = nil) {
        self.reason = reason
        self.detail = detail
    }

    /// A request's head is refused.
    init(request refusal: HeadRefusal) {
        self.init(Reason(refusalStatus: refusal.status), "\(refusal.reason)")
    }

    /// A response's head is refused.
    init(response refusal: HeadRefusal) {
        self.init(.responseRefused, "\(refusal.reason)")
    }

    /// Why no connection could be opened.
    init(connecting error: any Error) {
        switch error {
        case let error as NIOConnectionError: self.init(error)
        case let error as BackendTLSError: self.init(error.reason, error.detail)
        case ChannelError.connectTimeout: self.init(.connectTimeout)
        case let error as IOError where error.errnoCode == ECONNREFUSED: self.init(.connectRefused)
        case let error as IOError: self.init(.connectFailed, Self.text(errno: error.errnoCode))
        default: self.init(.connectFailed, "\(error)")
        }
    }

    /// Several addresses of a name were tried: the first one's failure counts.
    private init(_ error: NIOConnectionError) {
        if let first = error.connectionErrors.first {
            self.init(connecting: first.error)
        } else if let name = error.dnsAError ?? error.dnsAAAAError {
            self.init(.nameNotFound, "\(name)")
        } else {
            self.init(.connectFailed)
        }
    }

    private static func text(errno code: CInt) -> String {
        // Safe: strerror returns a string that stays valid until the next call on this thread.
        strerror(code).map { String(cString: $0) } ?? "errno \(code)"
    }
}

extension Cause {
    /// The status for a body that breaks a rule.
    static func status(of refusal: BodyRefusal) -> Int {
        switch refusal {
        case .chunkExtensionTooLarge: 413
        case .malformedTrailer(let refusal): refusal.status
        case .malformedChunkSize, .chunkSizeTooLarge, .malformedChunkExtension, .malformedChunkLineEnd,
            .malformedChunkEnd:
            400
        }
    }
}
