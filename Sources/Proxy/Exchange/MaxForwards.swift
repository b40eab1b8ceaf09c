import HTTPWire

/// Max-Forwards (RFC 9110, section 7.6.2): how many more hands an OPTIONS or TRACE request may pass through. In other
/// requests the field means nothing to a proxy.
enum MaxForwards {
    /// Larger numbers are taken for this one, as the RFC allows.
    private static let most: UInt64 = 999_999_999

    /// Nil where the request has none that counts. Of several fields the first counts; one that is no number does not.
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

    /// The answer of the last who may have the request; nil where it may go on.
    @inline(__always)
    static func answer(_ request: RequestView) -> LocalResponse? {
        guard value(request) == 0 else { return nil }
        // What a request looks like here, its cookies among it, is not told to a page that can send TRACE.
        return request.head.method == .trace
            ? LocalResponse(.notImplemented) : LocalResponse(status: 200, label: "max_forwards")
    }

    static func remove(from request: RequestView) {
        while let index = request.fields.firstIndex(named: "max-forwards", in: request.bytes) {
            request.fields.remove(index)
        }
    }
}
