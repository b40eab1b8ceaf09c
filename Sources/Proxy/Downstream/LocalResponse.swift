import NIOCore

/// A response that Limpet generates itself: a status, a short text, and fields that the status requires.
struct LocalResponse {
    let status: Int
    let cause: Cause
    /// Complete lines.
    let fields: [UInt8]
    /// The target of a redirect.
    private(set) var location: String?
    /// The body, with its line end; nil: the status.
    var text: String?

    /// - Parameters:
    ///   - status: nil for the one that the reason has.
    ///   - fields: complete lines.
    init(_ cause: Cause, status: Int? = nil, fields: [UInt8] = []) {
        self.status = status ?? cause.reason.status ?? 502
        self.cause = cause
        self.fields = fields
    }

    init(_ reason: Reason, status: Int? = nil, fields: [UInt8] = []) {
        self.init(Cause(reason), status: status, fields: fields)
    }

    /// The user name or the password is missing, unknown or wrong (RFC 7617, section 2).
    static func unauthorized(realm: String) -> LocalResponse {
        LocalResponse(.unauthorized, fields: Array("WWW-Authenticate: Basic realm=\"\(realm)\"\r\n".utf8))
    }

    static func redirect(to location: [UInt8], status: Int) -> LocalResponse {
        var answer = LocalResponse(
            .redirected, status: status, fields: Array("Location: ".utf8) + location + Array("\r\n".utf8))
        answer.location = String(decoding: location, as: UTF8.self)
        return answer
    }

    /// Too many passwords are waiting to be checked; this one would wait too long.
    static let tooManyPasswords = LocalResponse(.passwordsOverloaded, fields: Array("Retry-After: 1\r\n".utf8))

    /// Every backend that may take the request is at its limit, and its queue is full or did not move in time.
    static let backendsAtLimit = LocalResponse(.backendsAtLimit, fields: Array("Retry-After: 1\r\n".utf8))

    /// - Parameters:
    ///   - edits: the fields that middlewares add to the response.
    ///   - date: the Date line.
    ///   - closing: whether the head announces that the connection closes.
    ///   - bodiless: whether the request was HEAD: the head states the length, and the body is omitted.
    /// - Returns: the number of bytes of the body that were written.
    @discardableResult
    func write(
        into buffer: inout ByteBuffer, edits: FieldEdits? = nil, date: [UInt8], closing: Bool, bodiless: Bool
    ) -> UInt64 {
        let reason = Self.reason(status)
        let body = text ?? (reason.isEmpty ? "\(status)\n" : "\(status) \(reason)\n")
        buffer.writeString("HTTP/1.1 \(status) \(reason)\r\nContent-Type: text/plain; charset=utf-8\r\n")
        buffer.writeString("Content-Length: \(body.utf8.count)\r\n")
        if !(edits?.mention("date") ?? false) { buffer.writeBytes(date) }
        buffer.writeBytes(fields)
        if let edits { write(edits, into: &buffer) }
        if closing { buffer.writeStaticString("Connection: close\r\n") }
        buffer.writeStaticString("\r\n")
        return bodiless ? 0 : UInt64(buffer.writeString(body))
    }

    /// Middlewares cannot replace the fields that the response sets itself.
    private func write(_ edits: FieldEdits, into buffer: inout ByteBuffer) {
        let own = ["content-type", "location", "www-authenticate", "retry-after"].map { Array($0.utf8) }
        for edit in edits.appended where !own.contains(edit.key) { buffer.writeBytes(edit.line) }
    }

    /// Empty if the status has no usual reason phrase.
    static func reason(_ status: Int) -> String { reasons[status] ?? "" }

    private static let reasons: [Int: String] = [
        100: "Continue", 103: "Early Hints", 200: "OK", 201: "Created", 202: "Accepted", 204: "No Content",
        206: "Partial Content", 301: "Moved Permanently", 302: "Found", 303: "See Other", 304: "Not Modified",
        307: "Temporary Redirect", 308: "Permanent Redirect",
        400: "Bad Request", 401: "Unauthorized", 402: "Payment Required", 403: "Forbidden", 404: "Not Found",
        405: "Method Not Allowed", 406: "Not Acceptable", 408: "Request Timeout", 409: "Conflict", 410: "Gone",
        411: "Length Required", 412: "Precondition Failed", 413: "Content Too Large", 414: "URI Too Long",
        415: "Unsupported Media Type", 416: "Range Not Satisfiable", 417: "Expectation Failed", 418: "I'm a teapot",
        421: "Misdirected Request", 422: "Unprocessable Content", 423: "Locked", 425: "Too Early",
        428: "Precondition Required", 429: "Too Many Requests", 431: "Request Header Fields Too Large",
        451: "Unavailable For Legal Reasons", 500: "Internal Server Error", 501: "Not Implemented", 502: "Bad Gateway",
        503: "Service Unavailable", 504: "Gateway Timeout", 505: "HTTP Version Not Supported",
        507: "Insufficient Storage", 511: "Network Authentication Required",
    ]
}
