package import Affinity
package import HTTPWire
package import Routing

/// What becomes of one request under a configuration, and why, as far as that can be said without asking anybody.
package struct RequestExplanation: Sendable {
    /// Where its way ends.
    package enum Outcome: Equatable, Sendable {
        /// The head is refused, and the connection closed. Nil: the head has no end.
        case malformed(HeadRefusal?)
        /// Its path has a segment `.` or `..`: 400.
        case dotSegment
        /// It asks for another protocol: 501.
        case upgrade
        /// It may be passed on no further (Max-Forwards): Limpet answers it.
        case lastHop(status: Int)
        /// No router takes it: 404.
        case noRouter
        /// The router names something that is not there now: 503.
        case noService
        /// A middleware answers it: a redirect says where to.
        case answered(status: Int, location: String?)
        /// It comes to a service.
        case service
    }

    /// What a middleware does with the request.
    package enum Passage: Equatable, Sendable {
        case headers
        /// The path from here on.
        case path(String)
        /// It is let through: its address may, or its scheme is the right one.
        case allowed
        /// It says a user and a password. Whether they are right is not looked at here.
        case credentials
        /// The way ends here.
        case answered
    }

    package internal(set) var outcome: Outcome
    /// Nil where the head is refused.
    package internal(set) var routes: RouteExplanation?
    /// One for each middleware that the request meets, in their order.
    package internal(set) var passages: [Passage] = []
    /// The service, then the one of a weighted service's services that would be chosen, as deep as that can be said.
    package internal(set) var levels: [Level] = []

    /// One service that a request comes to.
    package struct Level: Sendable {
        /// Its place in the snapshot.
        package let service: Int
        package let session: Session
        /// All its backends, or services, in the session's order; in that of the configuration where there is none.
        package let order: [Int]
        /// The one that a session which nobody knows goes to while all are up; nil where that is chance, or each
        /// request's turn, or there is none.
        package let choice: Int?
        /// The one that a cookie in the request proposes for such a session: then it is the choice.
        package let proposal: Int?
    }

    /// How a service recognises the request's session.
    package enum Session: Sendable {
        /// A session key, by its place in the sources.
        case key(source: Int, Fingerprint)
        /// Our own cookie, and what it says; a hint that is too old says nothing.
        case cookie(Fingerprint, Hint?)
        /// No session key: one begins, by our cookie.
        case begins
        /// No session key, and none begins.
        case none
    }
}
