package import Affinity
package import HTTPWire
package import Routing

/// What happens to one request under a configuration, and why, as far as that is known without contacting the store or
/// a backend.
package struct RequestExplanation: Sendable {
    /// How the request ends.
    package enum Outcome: Equatable, Sendable {
        /// The client asks for TLS at an entry point that has none.
        case noTLS
        /// No certificate covers the name that the client asks for: the handshake fails.
        case noCertificate
        /// The entry point takes requests over TLS alone: 400.
        case needsTLS
        /// The host has other TLS options than the name that the connection was made for: 421.
        case misdirected
        /// The head is rejected, and the connection closed. Nil: the head is incomplete.
        case malformed(HeadRefusal?)
        /// The path has a segment `.` or `..`: 400.
        case dotSegment
        /// The request may not be forwarded further (Max-Forwards): Limpet answers it.
        case lastHop(status: Int)
        /// No router matches: 404.
        case noRouter
        /// The router refers to something that does not exist at the moment: 503.
        case noService
        /// A middleware answers it; a redirect has a location.
        case answered(status: Int, location: String?)
        /// The request reaches a service.
        case service
    }

    /// The effect of a middleware on the request.
    package enum Passage: Equatable, Sendable {
        case headers
        /// The path from this middleware on.
        case path(String)
        /// The request is let through: its address is allowed, or its scheme is the right one.
        case allowed
        /// The request has a user name and a password. They are not verified here.
        case credentials
        /// The middleware sends a request that fails again.
        case retried
        /// The middleware answers the request.
        case answered
    }

    package internal(set) var outcome: Outcome
    /// Those that the connection has; nil without TLS.
    package internal(set) var tlsOptions: TLSOptions?
    /// Nil if the head is rejected, or nothing is routed.
    package internal(set) var routes: RouteExplanation?
    /// One for each middleware that the request passes, in order.
    package internal(set) var passages: [Passage] = []
    /// The service, followed at each weighted service by the child that would be chosen, as far as that is known.
    package internal(set) var levels: [Level] = []

    /// One service that a request reaches.
    package struct Level: Sendable {
        /// The service's index in the snapshot.
        package let service: Int
        package let session: Session
        /// All backends or children of the service, in the session's order; in the order of the configuration without a
        /// session.
        package let order: [Int]
        /// The backend for an unknown session while all are up; nil if it is chosen at random or in turn, or if none
        /// can be chosen.
        package let choice: Int?
        /// The backend that a cookie in the request proposes for an unknown session: then it is the choice.
        package let proposal: Int?
    }

    /// How a service identifies the request's session.
    package enum Session: Sendable {
        /// A session key, with its index in the sources.
        case key(source: Int, Fingerprint)
        /// The affinity cookie with its hint; nil if the hint is too old.
        case cookie(Fingerprint, Hint?)
        /// No session key: a session begins with a new affinity cookie.
        case begins
        /// No session key, and no session begins.
        case none
    }
}
