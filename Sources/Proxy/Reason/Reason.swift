/// Why Limpet answered a request itself, cut a message short, gave up an attempt at a backend, or saw a tunnel end. A
/// closed list: metrics and logs name no other reasons.
///
/// The raw value is the label in metrics and in the access log.
package enum Reason: String, CaseIterable, Sendable {
    // MARK: The request, before any service

    /// The head breaks a rule of HTTP, or the redirect of a request without Host is unknown.
    case badRequest = "bad_request"
    /// The head did not arrive in time.
    case requestTimeout = "request_timeout"
    case uriTooLong = "uri_too_long"
    case fieldsTooLarge = "fields_too_large"
    case notImplemented = "not_implemented"
    case versionNotSupported = "version_not_supported"
    /// The request came without TLS to an entry point that needs it.
    case plainHTTP = "plain_http"
    /// The host of the request has other TLS options than its connection.
    case misdirected = "misdirected_request"
    /// The path has a segment `.` or `..`.
    case dotSegment = "dot_segment"
    /// Max-Forwards ends at Limpet.
    case maxForwards = "max_forwards"
    case noRoute = "no_route"
    /// The router refers to a service or a middleware that does not exist at the moment.
    case noService = "no_service"
    case redirected
    case unauthorized
    case addressRefused = "address_refused"
    case passwordsOverloaded = "passwords_overloaded"

    // MARK: The service

    /// No backend of the service may take the request.
    case noBackend = "no_backend"
    /// The session's backend may not take the request, and the session may not go to another.
    case sessionBackendUnavailable = "session_backend_unavailable"

    /// Every backend that may take the request is at its limit, and its queue is full or did not move in time.
    case backendsAtLimit = "backends_at_limit"

    // MARK: The backend

    case connectRefused = "connect_refused"
    case connectTimeout = "connect_timeout"
    /// The host name has no address.
    case nameNotFound = "name_not_found"
    /// The connection could not be opened for another cause.
    case connectFailed = "connect_failed"
    /// The backend's certificate is not accepted.
    case certificateRefused = "certificate_refused"
    /// The TLS handshake with the backend failed for another cause.
    case handshakeFailed = "tls_handshake_failed"
    /// The connection ended before the response's head was complete.
    case connectionLost = "connection_lost"
    /// The response's head breaks a rule, or exceeds a limit.
    case responseRefused = "response_refused"
    /// A 101 that does not accept what the client offered, or a backend that takes no WebSocket.
    case switchRefused = "switch_refused"
    /// The response's head did not arrive in time.
    case responseTimeout = "response_timeout"
    /// The response has a status after which the request is sent again, or to the fallback.
    case responseStatus = "response_status"
    /// The response's body breaks the framing.
    case responseBodyRefused = "response_body_refused"
    /// The connection ended within the response's body.
    case responseCut = "response_cut"
    /// The next piece of the response's body did not arrive in time.
    case responseStalled = "response_stalled"
    /// The backend accepted no byte of the request's body in time.
    case backendStalled = "backend_stalled"
    /// The backend closed a tunnel first.
    case backendClosed = "backend_closed"
    case backendReset = "backend_reset"

    // MARK: The client

    /// The client closed its connection first: before the end of the response, or a tunnel.
    case clientClosed = "client_closed"
    case clientReset = "client_reset"
    /// The next piece of the request's body did not arrive in time.
    case requestBodyTimeout = "request_body_timeout"
    /// The request's body breaks the framing, or exceeds a limit.
    case requestBodyRefused = "request_body_refused"
    /// The client accepted no byte of the response in time.
    case clientStalled = "client_stalled"

    // MARK: Limpet

    /// No byte passed through a tunnel for its idle time-out.
    case tunnelIdle = "tunnel_idle"
    /// The time for a whole request and its response was over.
    case exchangeTimeout = "exchange_timeout"
    /// The replica stopped before the exchange had ended.
    case shutdown
    /// A state that cannot occur.
    case internalError = "internal_error"

    /// The reason why a head is refused.
    init(refusalStatus status: Int) {
        switch status {
        case 408: self = .requestTimeout
        case 414: self = .uriTooLong
        case 431: self = .fieldsTooLarge
        case 501: self = .notImplemented
        case 505: self = .versionNotSupported
        default: self = .badRequest
        }
    }

    /// The status with which Limpet answers, if the client has no response yet. Reasons without a status end a message
    /// or a tunnel that has begun, or an attempt that another one follows.
    var status: Int? {
        switch self {
        case .badRequest, .plainHTTP, .dotSegment, .requestBodyRefused: 400
        case .unauthorized: 401
        case .addressRefused: 403
        case .noRoute: 404
        case .requestTimeout, .requestBodyTimeout: 408
        case .uriTooLong: 414
        case .misdirected: 421
        case .fieldsTooLarge: 431
        case .notImplemented: 501
        case .connectionLost, .responseRefused, .switchRefused, .responseCut, .internalError: 502
        case .noService, .passwordsOverloaded, .noBackend, .sessionBackendUnavailable,
            .backendsAtLimit:
            503
        case .responseTimeout, .backendStalled, .exchangeTimeout: 504
        case .versionNotSupported: 505
        case .maxForwards: 200
        case .redirected, .connectRefused, .connectTimeout, .nameNotFound, .connectFailed, .certificateRefused,
            .handshakeFailed, .responseStatus, .responseBodyRefused, .responseStalled, .backendClosed, .backendReset,
            .clientClosed, .clientReset, .clientStalled, .tunnelIdle,
            .shutdown:
            nil
        }
    }

    /// Whether a backend is to blame, so that the log names it.
    var isBackendFault: Bool {
        switch self {
        case .connectRefused, .connectTimeout, .nameNotFound, .connectFailed, .certificateRefused, .handshakeFailed,
            .connectionLost, .responseRefused, .switchRefused, .responseTimeout, .responseStatus, .responseBodyRefused,
            .responseCut, .responseStalled, .backendStalled,
            .backendReset:
            true
        default: false
        }
    }
}
