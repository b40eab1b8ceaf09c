import HTTPWire
import NIOCore

/// The answers that Limpet gives itself: a status and a word, no detail of the inside.
enum ErrorAnswer: Int, CaseIterable {
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
        self = ErrorAnswer(rawValue: status) ?? .badRequest
    }

    /// Labels metrics.
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

    /// For a body that breaks a rule.
    init(_ refusal: BodyRefusal) {
        switch refusal {
        case .chunkExtensionTooLarge: self = .contentTooLarge
        case .malformedTrailer(let refusal): self.init(status: refusal.status)
        case .malformedChunkSize, .chunkSizeTooLarge, .malformedChunkExtension, .malformedChunkLineEnd,
            .malformedChunkEnd, .forbiddenTrailer:
            self = .badRequest
        }
    }

    private var reason: StaticString {
        switch self {
        case .badRequest: "Bad Request"
        case .notFound: "Not Found"
        case .requestTimeout: "Request Timeout"
        case .contentTooLarge: "Content Too Large"
        case .uriTooLong: "URI Too Long"
        case .fieldsTooLarge: "Request Header Fields Too Large"
        case .notImplemented: "Not Implemented"
        case .badGateway: "Bad Gateway"
        case .serviceUnavailable: "Service Unavailable"
        case .gatewayTimeout: "Gateway Timeout"
        case .versionNotSupported: "HTTP Version Not Supported"
        }
    }

    /// - Parameters:
    ///   - closing: says so in the head.
    ///   - bodiless: the request was HEAD: the length is stated, the body left out.
    /// - Returns: the number of bytes of the body that were written.
    @discardableResult
    func write(into buffer: inout ByteBuffer, closing: Bool, bodiless: Bool) -> UInt64 {
        let body = "\(rawValue) \(reason)\n"
        buffer.writeString("HTTP/1.1 \(rawValue) \(reason)\r\nContent-Type: text/plain; charset=utf-8\r\n")
        buffer.writeString("Content-Length: \(body.utf8.count)\r\n")
        if closing { buffer.writeStaticString("Connection: close\r\n") }
        buffer.writeStaticString("\r\n")
        return bodiless ? 0 : UInt64(buffer.writeString(body))
    }
}
