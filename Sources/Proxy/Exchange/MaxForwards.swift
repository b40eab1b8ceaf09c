import HTTPWire

/// Max-Forwards (RFC 9110, section 7.6.2): how many more intermediaries may forward an OPTIONS or TRACE request. In
/// other requests a proxy ignores the field.
enum MaxForwards {
    /// Larger values are treated as this one, as the RFC allows.
    private static let most: UInt64 = 999_999_999

    /// Nil if the request has no effective value. Only the first field counts; it is ignored if it is not a number.
    @inline(__always)
    static func value(_ request: RequestView) -> UInt64? {
        switch request.head.method {
        case .options, .trace: read(request)
        default: nil
        }
    }

    private static func read(_ request: RequestView) -> UInt64? {
        guard let index = request.fields.firstIndex(named: "max-forwards", in: request.bytes) else { return nil }
        let digits = request.bytes[request.fields[index].valueRange]
        guard !digits.isEmpty, digits.allSatisfy({ $0 &- UInt8(ascii: "0") < 10 }) else { return nil }
        return digits.reduce(0) { min($0 * 10 + UInt64($1 - UInt8(ascii: "0")), most) }
    }

    /// The response of the last permitted recipient; nil if the request may be forwarded.
    @inline(__always)
    static func answer(_ request: RequestView) -> LocalResponse? {
        guard value(request) == 0 else { return nil }
        // TRACE would reveal the received request, including its cookies, to a page that can send it.
        return LocalResponse(request.head.method == .trace ? .notImplemented : .maxForwards)
    }

    static func remove(from request: RequestView) {
        while let index = request.fields.firstIndex(named: "max-forwards", in: request.bytes) {
            request.fields.remove(index)
        }
    }
}
