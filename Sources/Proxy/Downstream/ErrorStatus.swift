import HTTPWire

/// The client errors and failures that Limpet answers itself, without revealing internal details.
enum ErrorStatus: Int, CaseIterable {
    case badRequest = 400
    case notFound = 404
    case requestTimeout = 408
    case contentTooLarge = 413
    case uriTooLong = 414
    case fieldsTooLarge = 431
    case notImplemented = 501
    case badGateway = 502
    case serviceUnavailable = 503
    case gatewayTimeout = 504
    case versionNotSupported = 505

    init(status: Int) {
        self = ErrorStatus(rawValue: status) ?? .badRequest
    }

    /// The label in metrics.
    var label: String {
        switch self {
        case .badRequest: "bad_request"
        case .notFound: "no_route"
        case .requestTimeout: "request_timeout"
        case .contentTooLarge: "content_too_large"
        case .uriTooLong: "uri_too_long"
        case .fieldsTooLarge: "fields_too_large"
        case .notImplemented: "not_implemented"
        case .badGateway: "bad_gateway"
        case .serviceUnavailable: "service_unavailable"
        case .gatewayTimeout: "gateway_timeout"
        case .versionNotSupported: "version_not_supported"
        }
    }

    /// The status for a body that breaks a rule.
    init(_ refusal: BodyRefusal) {
        switch refusal {
        case .chunkExtensionTooLarge: self = .contentTooLarge
        case .malformedTrailer(let refusal): self.init(status: refusal.status)
        case .malformedChunkSize, .chunkSizeTooLarge, .malformedChunkExtension, .malformedChunkLineEnd,
            .malformedChunkEnd:
            self = .badRequest
        }
    }
}
