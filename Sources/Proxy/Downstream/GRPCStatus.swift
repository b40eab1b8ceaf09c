import NIOCore

/// How gRPC calls what HTTP has a status for: https://github.com/grpc/grpc/blob/master/doc/statuscodes.md.
enum GRPCStatus: Int {
    case unknown = 2
    case deadlineExceeded = 4
    case permissionDenied = 7
    case resourceExhausted = 8
    case unimplemented = 12
    case `internal` = 13
    case unavailable = 14
    case unauthenticated = 16

    init(http status: Int) {
        switch status {
        case 400: self = .internal
        case 401: self = .unauthenticated
        case 403: self = .permissionDenied
        case 404: self = .unimplemented
        case 408, 504: self = .deadlineExceeded
        case 413, 414, 431: self = .resourceExhausted
        case 429, 502, 503: self = .unavailable
        default: self = .unknown
        }
    }

    /// Writes a local response in gRPC's form: a head alone, whose HTTP status is 200.
    static func write(_ answer: LocalResponse, into buffer: inout ByteBuffer) {
        let status = GRPCStatus(http: answer.status)
        buffer.writeString("HTTP/1.1 200 OK\r\nContent-Type: application/grpc\r\n")
        buffer.writeString("grpc-status: \(status.rawValue)\r\ngrpc-message: \(answer.cause.reason.rawValue)\r\n\r\n")
    }
}
